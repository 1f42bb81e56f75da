import { hex } from '../encoding/bytes.ts'
import { ATTEMPTS_MAX } from '../messages/judge.ts'
import { firstOf } from '../state/draft.ts'
import { UNKNOWN_ROUND } from '../state/effects.ts'
import type { PeerState } from '../state/state.ts'

/** The latest round that this peer attested, or saw sealed, which is as good: what it tells one who lost its log. */
export function latestAttested(state: PeerState): number {
  const { context, self } = state
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++)
    if (self >= 0 && firstOf(state, 'attestation', attempt, self) !== undefined) return context.round
  return context.round - 1
}

/**
 * Rule 17 *Lost log*: how long a peer that lost its log keeps silent, from what others told of their latest attested
 * round: one past the highest. Who was in round r had a seal of r − 1, so a quorum attested that, and any q others hold
 * an honest one of them.
 *
 * A claim ahead of the own round counts only once this peer has followed to it: nobody silences another by a big number.
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
