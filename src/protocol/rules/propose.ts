import { memberIndex, proposerOf } from '../charter/round-context.ts'
import { bitsOf, equalBytes, hasBit } from '../encoding/bytes.ts'
import { encodeCanonical } from '../encoding/canonical-cbor.ts'
import type { CarriedReady, Cut, Proposal } from '../messages/bodies.ts'
import { cutOf } from '../messages/identifiers.ts'
import { MESSAGE_BYTES_MAX } from '../messages/message.ts'
import { type Draft, messagesOf, say } from '../state/draft.ts'
import { evidenceForCut } from './evidence.ts'
import { changesForCut } from './membership-vote.ts'

/**
 * Rule 4 *Propose*: in its view the proposer repeats the cut that is valid, or makes a fresh one from exactly q readies
 * whose certificates it holds. Until it has those it waits; the view's timer runs.
 */
export function propose(draft: Draft): void {
  if (draft.committed !== undefined || draft.step !== 'propose' || draft.view < 0) return
  if (proposerOf(draft.context, draft.view) !== draft.self) return
  const { valid } = draft
  if (valid !== undefined) {
    say(draft, 'proposal', draft.view, { cut: valid.cut, validView: valid.view, readies: [] })
    return
  }
  const readies = usableReadies(draft)
  if (readies === undefined) return
  say(draft, 'proposal', draft.view, freshProposal(draft, readies))
}

/** The q readies that say most, among those whose every certificate is held here. */
function usableReadies(draft: Draft): CarriedReady[] | undefined {
  const usable = messagesOf(draft, 'ready', 0).filter(({ body }) =>
    bitsOf(body.certified).every((author) => draft.certificates.has(author))
  )
  const distinct = [...new Map(usable.map((message) => [message.author, message])).values()]
  if (distinct.length < draft.context.quorum) return undefined
  return distinct
    .map(({ author, body, signature }) => ({ member: author, certified: body.certified, signature }))
    .sort(
      (left, right) =>
        bitsOf(right.certified).length - bitsOf(left.certified).length || left.member - right.member
    )
    .slice(0, draft.context.quorum)
    .sort((left, right) => left.member - right.member)
}

/** Trainers whom at least one of the readies calls certified. */
export function unionOf(draft: Pick<Draft, 'context'>, readies: readonly CarriedReady[]): number[] {
  return draft.context.trainers.filter((author) => readies.some(({ certified }) => hasBit(certified, author)))
}

/** Bytes of a proposal's envelope around its body. */
const ENVELOPE_BYTES_MAX = 1024

/** Evidence and membership changes, as many as the envelope takes beside the entries: the rest comes with a later cut. */
function freshProposal(draft: Draft, readies: readonly CarriedReady[]): Proposal {
  const evidence = evidenceForCut(draft)
  const membership = changesForCut(draft)
  for (;;) {
    const cut = cutFrom(draft, readies, { membership, evidence })
    const body = { cut, validView: -1, readies: [...readies] }
    const fits = encodeCanonical(body).length + ENVELOPE_BYTES_MAX <= MESSAGE_BYTES_MAX
    if (fits || membership.length + evidence.length === 0) return body
    if (membership.length > 0) membership.pop()
    else evidence.pop()
  }
}

function cutFrom(
  draft: Draft,
  readies: readonly CarriedReady[],
  changes: Pick<Cut, 'membership' | 'evidence'>
): Cut {
  return cutOf(
    draft.context,
    authorsOf(draft, readies).map((author) => ({ author, id: draft.certificates.get(author)!.manifest })),
    changes
  )
}

/** The authors that readies make a cut stack: their union, or none where it is too small. */
function authorsOf({ context }: Draft, readies: readonly CarriedReady[]): number[] {
  const union = unionOf({ context }, readies)
  return union.length < Math.min(context.charter.minShards, context.trainers.length) ? [] : union
}

/**
 * Whether a fresh proposal keeps rule 4: its list is exactly the union of its readies, or empty where that is below
 * `minShards` (a void round), and every entry is certified. A certificate that is not here yet may still come.
 */
export function judgeFreshProposal(
  draft: Draft,
  { cut, readies }: Proposal
): 'valid' | 'invalid' | 'waiting' {
  const listed = cut.entries.map(({ author }) => memberIndex(draft.context, author))
  const union = authorsOf(draft, readies)
  if (listed.length !== union.length || listed.some((author, index) => author !== union[index]))
    return 'invalid'
  const certified = listed.map((author) => draft.certificates.get(author)?.manifest)
  const isOther = cut.entries.some(({ manifest }, index) => {
    const known = certified[index]
    return known !== undefined && !equalBytes(known, manifest)
  })
  if (isOther) return 'invalid'
  return certified.includes(undefined) ? 'waiting' : 'valid'
}
