import { bitsOf, equalBytes, hasBit } from '../bytes.ts'
import { cutOf } from '../identifiers.ts'
import type { CarriedReady, Cut, Proposal } from '../messages/bodies.ts'
import { type Draft, messagesOf, say } from '../round/draft.ts'
import { memberIndex, proposerOf } from '../round-context.ts'

/**
 * Rule 4 *Propose*: in its view the proposer repeats the cut that is valid, or makes a fresh one from exactly q readies
 * whose certificates it holds. Until it has those it waits; the view's timer runs.
 */
export function propose(draft: Draft): void {
  if (draft.committed !== undefined || draft.step !== 'propose' || draft.view < 0) return
  if (proposerOf(draft.context, draft.view) !== draft.self) return
  if (draft.valid !== undefined) {
    say(draft, 'proposal', draft.view, { cut: draft.valid.cut, validView: draft.valid.view, readies: [] })
    return
  }
  const readies = usableReadies(draft)
  if (readies === undefined) return
  say(draft, 'proposal', draft.view, { cut: cutFrom(draft, readies), validView: -1, readies })
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

function cutFrom(draft: Draft, readies: readonly CarriedReady[]): Cut {
  const union = unionOf(draft, readies)
  const stacked = union.length < draft.context.charter.minShards ? [] : union
  return cutOf(
    draft.context,
    stacked.map((author) => ({ author, id: draft.certificates.get(author)!.manifest }))
  )
}

/**
 * Whether a fresh proposal keeps rule 4: its list is exactly the union of its readies, or empty where that is below
 * `minShards` (a void round), and every entry is certified. A certificate that is not here yet may still come.
 */
export function judgeFreshProposal(
  draft: Draft,
  { cut, readies }: Proposal
): 'valid' | 'invalid' | 'waiting' {
  const union = unionOf(draft, readies)
  const expected = union.length < draft.context.charter.minShards ? [] : union
  const listed = cut.entries.map(({ author }) => memberIndex(draft.context, author))
  if (listed.length !== expected.length || listed.some((author, index) => author !== expected[index]))
    return 'invalid'
  const certificates = listed.map((author) => draft.certificates.get(author)?.manifest)
  const contradicts = certificates.some(
    (manifest, index) => manifest !== undefined && !equalBytes(manifest, cut.entries[index]!.manifest)
  )
  if (contradicts) return 'invalid'
  return certificates.includes(undefined) ? 'waiting' : 'valid'
}
