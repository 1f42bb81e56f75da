import { sameDigest } from '../encoding/bytes.ts'
import type { Message } from '../messages/message.ts'
import { type HoldsMessages, type Slot, slotOf } from './slots.ts'

/** Kinds of messages that vote for a cut. */
export type VoteKind = 'prevote' | 'precommit'

/** The number of votes for a cut, or against all (null). */
export interface Count {
  readonly cut: Uint8Array | null
  readonly votes: number
}

const NOBODY: ReadonlySet<number> = new Set()

/** Number of members that voted for `cut` (null: against all) in a view. */
export function votesFor(state: HoldsMessages, kind: VoteKind, view: number, cut: Uint8Array | null): number {
  return tallyOf(state, kind, view).find((count) => sameDigest(count.cut, cut))?.votes ?? 0
}

/** The votes in a view, except those of members in `without`; a member that voted for several cuts counts for each. */
export function tallyOf(
  state: HoldsMessages,
  kind: VoteKind,
  view: number,
  without: ReadonlySet<number> = NOBODY
): readonly Count[] {
  const slot = slotOf(state, kind, view)
  if (slot === undefined) return []
  return without.size === 0
    ? tallyOfSlot(slot)
    : countVotes([...slot.byAuthor].filter(([author]) => !without.has(author)).map(([, kept]) => kept))
}

/** Cached by slot, which is immutable: votes are counted in every step, and most slots do not change. */
const tallies = new WeakMap<Slot<VoteKind>, readonly Count[]>()

function tallyOfSlot(slot: Slot<VoteKind>): readonly Count[] {
  const known = tallies.get(slot)
  if (known !== undefined) return known
  const counts = countVotes(slot.byAuthor.values())
  tallies.set(slot, counts)
  return counts
}

/** @param voters the messages of each voter */
function countVotes(voters: Iterable<readonly Message<VoteKind>[]>): Count[] {
  const counts: { cut: Uint8Array | null; votes: number }[] = []
  for (const kept of voters) {
    const votes = kept.map(({ body }) => body.cut)
    for (const [index, cut] of votes.entries()) {
      if (votes.findIndex((other) => sameDigest(other, cut)) < index) continue
      const count = counts.find((candidate) => sameDigest(candidate.cut, cut))
      if (count === undefined) counts.push({ cut, votes: 1 })
      else count.votes++
    }
  }
  return counts
}
