import { MESSAGE_BYTES_MAX } from '../charter/limits.ts'
import { bitsOf, equalBytes, hasBit } from '../encoding/bytes.ts'
import { encodeCanonical } from '../encoding/canonical-cbor.ts'
import type { CarriedReady, Cut, Proposal } from '../messages/bodies.ts'
import { cutOf } from '../messages/cut.ts'
import { memberIndex } from '../round/context.ts'
import { proposerOf } from '../round/proposer.ts'
import type { Draft } from '../state/draft.ts'
import { say } from '../state/say.ts'
import { messagesOf } from '../state/slots.ts'
import { evidenceForCut } from './evidence.ts'
import { changesForCut } from './membership-vote.ts'

/**
 * Rule 4 *Propose*: in its view, the proposer repeats the valid cut, or forms a fresh one from exactly q readies whose
 * certificates it holds. Until it has those, it waits while the view's timer runs.
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

/** The q readies that name the most authors, among those whose certificates are all held. */
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

/** Trainers named by at least one of the readies. */
export function unionOf(draft: Pick<Draft, 'context'>, readies: readonly CarriedReady[]): number[] {
  return draft.context.trainers.filter((author) => readies.some(({ certified }) => hasBit(certified, author)))
}

/** Bytes of a proposal's envelope around its body. */
const ENVELOPE_BYTES_MAX = 1024

/** Adds evidence and membership changes as far as they fit into the envelope; the rest goes into a later cut. */
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

/** The authors that a cut with these readies stacks: their union, or none when it is too small. */
function authorsOf({ context }: Draft, readies: readonly CarriedReady[]): number[] {
  const union = unionOf({ context }, readies)
  return union.length < Math.min(context.charter.minShards, context.trainers.length) ? [] : union
}

/**
 * Whether a fresh proposal follows rule 4: its entries are exactly the union of its readies, or none when that is
 * smaller than `minShards` (a void round), and every entry is certified. A missing certificate may still arrive.
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
