import { MESSAGE_BYTES_MAX } from '../charter/limits.ts'
import { equalBytes, hex } from '../encoding/bytes.ts'
import { offenderOf } from '../messages/evidence.ts'
import { isKind, judge } from '../messages/judge.ts'
import { decodeEnvelope, type Message } from '../messages/message.ts'
import { learnEvidence } from '../state/conviction.ts'
import type { Draft } from '../state/draft.ts'
import { keep } from '../state/keep.ts'
import { isNeeded } from '../state/needed.ts'
import type { PeerState } from '../state/state.ts'
import { hearOwn } from './lost-log.ts'

/** Maximum number of envelopes of the next round kept per author until that round begins. */
const EARLY_MAX = 8
/** Maximum bytes of these envelopes: a manifest, a proposal, and small ones. */
const EARLY_BYTES_MAX = 2 * MESSAGE_BYTES_MAX

/** Whether a header or a seal is of the current round. */
export function isOfRound(
  { context }: Draft,
  { round, parent }: { readonly round: number; readonly parent: Uint8Array }
): boolean {
  return round === context.round && equalBytes(parent, context.parent)
}

/** Keeps a message of the round, within the bounds of rule 15; of evidence, only the first about each offender. */
export function hear(draft: Draft, message: Message): void {
  // The round may have ended since the message was judged.
  if (!isOfRound(draft, message.header)) return
  hearOwn(draft, message)
  if (isKind(message, 'evidence')) {
    if (draft.evidence.has(hex(offenderOf(message.body)))) return
    learnEvidence(draft, message.body)
  }
  keep(draft, message, (one) => isNeeded(draft, one))
}

/** Envelopes of the next round by author. */
export type EarlyEnvelopes = PeerState['early']

/**
 * Rule 15 *Bounds*: adds one envelope to the kept envelopes of the next round. Only kept envelopes are forwarded.
 *
 * @returns the same map if the envelope is not kept, because it is already known or exceeds the bounds for its author
 */
export function withEarly(early: EarlyEnvelopes, author: Uint8Array, bytes: Uint8Array): EarlyEnvelopes {
  const kept = early.get(hex(author)) ?? []
  const held = kept.reduce((sum, { length }) => sum + length, 0)
  if (kept.length >= EARLY_MAX || held + bytes.length > EARLY_BYTES_MAX) return early
  if (kept.some((known) => equalBytes(known, bytes))) return early
  return new Map(early).set(hex(author), [...kept, bytes])
}

/** Keeps an envelope of the next round within the bounds of rule 15; it is judged again when that round begins. */
export function keepEarly(draft: Draft, author: Uint8Array, bytes: Uint8Array): void {
  draft.early = withEarly(draft.early, author, bytes)
}

/** Applies the envelopes that arrived before their round began. */
export function hearEarly(draft: Draft, early: EarlyEnvelopes): void {
  for (const bytes of [...early.values()].flat()) {
    const judgement = judge(draft.context, decodeEnvelope(bytes), draft.verify)
    if (judgement.verdict === 'accept') hear(draft, judgement.message)
  }
}
