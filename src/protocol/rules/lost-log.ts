import { hex } from '../encoding/bytes.ts'
import { ATTEMPTS_MAX } from '../messages/judge.ts'
import type { Draft } from '../state/draft.ts'
import { UNKNOWN_ROUND } from '../state/effects.ts'
import { firstOf } from '../state/slots.ts'
import type { PeerState } from '../state/state.ts'

/** The latest round that this peer attested or saw sealed: what it tells a peer that lost its log. */
export function latestAttested(state: PeerState): number {
  const { context, self } = state
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++)
    if (self >= 0 && firstOf(state, 'attestation', attempt, self) !== undefined) return context.round
  return context.round - 1
}

/**
 * Rule 17 *Lost log*: how long a peer that lost its log keeps silent, from the latest attested rounds that others tell: one
 * round past the highest. A peer in round r held a seal of r − 1, so a quorum attested that round, and any q others include
 * an honest one of them.
 *
 * A claim ahead of the own round counts only once this peer has followed to it, so nobody can silence another with a large
 * number.
 *
 * @param told latest attested round by PeerId in hex
 * @returns undefined while too few members have told
 */
export function silenceNeeded(state: PeerState, told: ReadonlyMap<string, number>): number | undefined {
  const { context, self } = state
  if (state.silentThrough !== UNKNOWN_ROUND) return undefined
  const others = context.voters.filter((index) => index !== self)
  const claims = others.flatMap((index) => told.get(hex(context.members[index]!.peer)) ?? [])
  const believed = claims.filter((round) => round <= context.round)
  if (believed.length < Math.min(context.quorum, others.length)) return undefined
  return Math.max(0, ...believed) + 1
}

/** Ends a silence of unknown length: its last round is known from now on, and logged. */
export function recollect(draft: Draft, through: number): void {
  if (draft.silentThrough !== UNKNOWN_ROUND) return
  draft.silentThrough = through
  draft.effects.push({ type: 'persist', record: { type: 'silent', through } })
}
