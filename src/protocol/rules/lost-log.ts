import { equalBytes, hex } from '../encoding/bytes.ts'
import { ATTEMPTS_MAX } from '../messages/judge.ts'
import type { Message } from '../messages/message.ts'
import { type Draft, halt } from '../state/draft.ts'
import { UNKNOWN_ROUND } from '../state/effects.ts'
import { isSilent } from '../state/say.ts'
import { firstOf, keptOf } from '../state/slots.ts'
import type { PeerState } from '../state/state.ts'

/** The latest round that this peer attested or saw sealed, which it reports to a peer that lost its log. */
export function latestAttested(state: PeerState): number {
  const { context, self } = state
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++)
    if (self >= 0 && firstOf(state, 'attestation', attempt, self) !== undefined) return context.round
  return context.round - 1
}

/**
 * Rule 17 *Lost log*: how long a peer that lost its log stays silent, from the latest attested rounds reported by
 * others: until one round past the highest. A peer in round r had a seal of r − 1, so a quorum attested that round, and
 * any q others include an honest member of that quorum.
 *
 * A claim ahead of this peer's round counts only once this peer has reached it, so nobody can silence another with a
 * large number.
 *
 * @param told latest attested round by PeerId in hex
 * @returns undefined while too few members have reported
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

/** Gives a silence of unknown length its last round, and logs it. */
export function recollect(draft: Draft, through: number): void {
  if (draft.silentThrough !== UNKNOWN_ROUND) return
  beSilent(draft, draft.isContradicted ? through + 1 : through)
}

/**
 * Handles a valid message signed with this peer's key. Unless it is in the log, it comes from before the log was lost,
 * or from another copy of this identity. This peer then does not know what it has signed, as if it had lost its log,
 * and signs nothing.
 *
 * Messages from before the loss belong to rounds up to the last round of the silence, so this peer listens for one more
 * round: a message of that round comes from a copy that is running now, and the silence begins again. A peer that hears
 * such a message a second time while it signs halts.
 */
export function hearOwn(draft: Draft, message: Message): void {
  const { kind, slot, author, header } = message
  if (author !== draft.self || keptOf(draft, kind, slot, author).some(({ id }) => equalBytes(id, message.id)))
    return
  const { round } = header
  const contradict = () => {
    draft.isContradicted = true
    beSilent(draft, UNKNOWN_ROUND)
    draft.effects.push({ type: 'contradicted', message })
  }
  if (!isSilent(draft)) {
    draft.contradictions++
    contradict()
    if (draft.contradictions > 1)
      halt(
        draft,
        `a ${kind} of round ${round} is signed with this peer's key and is not in its log, for the second time: another copy of this identity is running. Stop one of the two for good, then start the other again`
      )
  } else if (draft.silentThrough === UNKNOWN_ROUND) draft.isContradicted = true
  else if (!draft.isContradicted) {
    draft.isContradicted = true
    beSilent(draft, draft.silentThrough + 1)
  } else if (round === draft.silentThrough) contradict()
}

/** Lets a peer sign once it has learnt that no other copy of it is running. */
export function release(draft: Draft): void {
  draft.heldBack = false
}

function beSilent(draft: Draft, through: number): void {
  draft.silentThrough = through
  draft.effects.push({ type: 'persist', record: { type: 'silent', through } })
}
