import { equalBytes, hex } from '../encoding/bytes.ts'
import type { Cut } from '../messages/bodies.ts'
import type { RoundContext } from '../round/context.ts'
import type { Draft } from '../state/draft.ts'
import { allSlots, firstOf } from '../state/slots.ts'
import type { PeerState } from '../state/state.ts'

/** Consecutive missed rounds after which an author is no longer waited for. */
export const MISSES_MAX = 3
/** Rounds until an author that was given up is waited for again for one round; doubles each time. */
const TRY_AGAIN_ROUNDS = 32

/**
 * Rule 3 *Ready*: whether this member waits for an author's certificate. It does not wait for an author whose manifest
 * it found invalid itself, from which nothing was heard for three rounds, or which missed three consecutive rounds.
 * More than f of these cannot all be faulty; then it waits for each of them. Each member decides this for itself and
 * signs nothing about it; every author that is certified in time is stacked.
 */
export function isAwaited(state: PeerState, author: number): boolean {
  return !isFoundInvalid(state, author) && !isGone(state, author) && !givenUp(state).includes(author)
}

/**
 * Whether nothing was heard from an author in three consecutive rounds, nor in this one: its first message brings it
 * back.
 */
export function isGone(state: PeerState, author: number): boolean {
  const { absences, context } = state
  const rounds = absences.get(hex(context.members[author]!.peer)) ?? 0
  return rounds >= MISSES_MAX && !isHeard(state, author)
}

/** Whether any message from an author was heard in this round. */
export function isHeard(state: PeerState, author: number): boolean {
  return allSlots(state).some(({ byAuthor }) => byAuthor.has(author))
}

/**
 * At the end of a round: consecutive rounds in which authors were not heard, as counted by a member that was present
 * itself.
 */
export function countAbsences(draft: Draft): PeerState['absences'] {
  const { context, absences, missing, self } = draft
  if (missing === undefined) return absences
  const unheard = context.trainers.filter((author) => author !== self && !isHeard(draft, author))
  return new Map(
    unheard.map((author) => {
      const name = hex(context.members[author]!.peer)
      return [name, Math.min((absences.get(name) ?? 0) + 1, MISSES_MAX)]
    })
  )
}

/**
 * Whether an author with this many consecutive misses is given up. From time to time it is waited for again, at
 * intervals that double each time, so that a member that was slow for a while can show that it has recovered.
 */
function isHopeless(misses: number): boolean {
  const tries = (misses - MISSES_MAX) / TRY_AGAIN_ROUNDS + 1
  return misses >= MISSES_MAX && (misses === MISSES_MAX || !isPowerOfTwo(tries))
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value))
}

function givenUp({ context, misses }: PeerState): readonly number[] {
  if (misses.size === 0) return []
  const authors = context.trainers.filter((author) =>
    isHopeless(misses.get(hex(context.members[author]!.peer)) ?? 0)
  )
  return authors.length > context.faulty ? [] : authors
}

function isFoundInvalid(state: PeerState, author: number): boolean {
  const manifest = firstOf(state, 'manifest', 0, author)
  const holding = manifest && state.holdings.get(hex(manifest.id))
  return holding === 'invalid' || holding === 'refused'
}

/**
 * When this member sends its ready: records the authors that were heard but have no certificate. They announced no
 * manifest in time, its blocks could not be fetched in time, or too few members found it valid.
 */
export function noteMissing(draft: Draft): void {
  const { context, certificates, self } = draft
  if (draft.missing !== undefined) return
  draft.missing = context.trainers.filter(
    (author) => author !== self && !certificates.has(author) && isHeard(draft, author)
  )
}

/**
 * At the end of a round: an author that is stacked starts from 0 again; one that was missing has one more miss, unless
 * more were missing than can be faulty, which means that the time to gather was too short.
 *
 * @returns the misses of those authors that are still members after the round
 */
export function countMisses(draft: Draft, { entries }: Cut, next: RoundContext): PeerState['misses'] {
  const { context, misses } = draft
  const isStacked = (peer: Uint8Array) => entries.some((entry) => equalBytes(entry.author, peer))
  const unstacked = (draft.missing ?? []).filter((author) => !isStacked(context.members[author]!.peer))
  const missing = unstacked.length > context.faulty ? [] : unstacked
  const after = new Map(misses)
  for (const [author, { peer }] of context.members.entries()) {
    const name = hex(peer)
    const before = misses.get(name) ?? 0
    if (isStacked(peer)) {
      after.delete(name)
      if (before >= MISSES_MAX) draft.effects.push({ type: 'awaitedAgain', author: peer })
    } else if (missing.includes(author)) {
      after.set(name, before + 1)
      const isInvalid = isFoundInvalid(draft, author)
      if (before < MISSES_MAX) {
        const rounds = before + 1
        const isAnnounced = firstOf(draft, 'manifest', 0, author) !== undefined
        draft.effects.push({
          type: 'missed',
          author: peer,
          isInvalid,
          isAnnounced,
          rounds,
          isGivenUp: rounds === MISSES_MAX
        })
      }
    }
  }
  const members = new Set(next.members.map(({ peer }) => hex(peer)))
  return new Map([...after].filter(([name]) => members.has(name)))
}
