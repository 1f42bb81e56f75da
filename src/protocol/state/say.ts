import { equalBytes } from '../encoding/bytes.ts'
import type { Body } from '../messages/bodies.ts'
import { type Kind, messageId } from '../messages/header.ts'
import { headerFor, type Message, signHeader } from '../messages/message.ts'
import type { Draft } from './draft.ts'
import type { SignedRecord } from './effects.ts'
import { keep } from './keep.ts'
import { keptOf } from './slots.ts'
import type { PeerState } from './state.ts'

/** The certificates that a message claims to hold; logged with it. */
type Grounds = Pick<SignedRecord, 'certificates'>

/**
 * Signs, logs and sends a message, once per kind and slot: an earlier one stands. The record precedes the broadcast, so
 * that a restarted peer knows everything that it ever sent.
 */
export function say<K extends Kind>(
  draft: Draft,
  kind: K,
  slot: number,
  body: Body<K>,
  grounds: Grounds = {}
): void {
  if (draft.self < 0 || !mayVote(draft, kind)) return
  if (keptOf(draft, kind, slot, draft.self).length > 0) return
  sign(draft, kind, slot, body, grounds)
}

/** Signs, logs and sends, regardless of what was sent in this kind and slot before; an equal message is not repeated. */
export function sign<K extends Kind>(
  draft: Draft,
  kind: K,
  slot: number,
  body: Body<K>,
  grounds: Grounds = {}
): void {
  if (draft.self < 0 || isMute(draft) || !mayVote(draft, kind)) return
  const header = headerFor(draft.context, kind, slot, draft.signer.peer, body)
  // Rules repeat a message with every step: only a new one is signed.
  const id = messageId(header)
  if (keptOf(draft, kind, slot, draft.self).some((before) => equalBytes(before.id, id))) return
  const message = signHeader(draft.context, draft.signer, header, body) as Message
  keep(draft, message)
  const record = { type: 'signed', envelope: message.bytes, ...grounds } as const
  draft.effects.push({ type: 'persist', record }, { type: 'broadcast', message })
}

/** Members outside the committee send only manifests, evidence and their own leave (rule 13 *Sample*). */
function mayVote({ context, self }: Draft, kind: Kind): boolean {
  return (
    kind === 'manifest' || kind === 'evidence' || kind === 'membership-vote' || context.voters.includes(self)
  )
}

/** Whether this peer signs nothing in its round, because it does not know what it signed before (rule 17 *Lost log*). */
export function isSilent({ context, silentThrough }: PeerState): boolean {
  return context.round <= silentThrough
}

/**
 * Whether this peer currently signs nothing: it is silent, or does not know yet whether another copy of it is running.
 */
function isMute(state: PeerState): boolean {
  return state.heldBack || isSilent(state)
}
