import { equalBytes } from '../encoding/bytes.ts'
import { type Header, VIEW_KINDS } from '../messages/header.ts'
import { ATTEMPTS_MAX } from '../messages/judge.ts'
import type { Message } from '../messages/message.ts'
import { memberIndex } from '../round/context.ts'
import { convict } from './conviction.ts'
import type { Draft } from './draft.ts'
import { allSlots, keptOf, withKept } from './slots.ts'
import type { PeerState } from './state.ts'

/** Maximum number of distinct messages kept per author, kind and slot: two are evidence, more add nothing. */
const DISTINCT_MAX = 2

/**
 * Keeps a verified message within the bounds of rule 15, and convicts its author when it contradicts another.
 *
 * @param isNeeded whether the round may depend on a message: if so, it is kept even if its author's places are full,
 * and replaces a message on which nothing depends
 */
export function keep(
  draft: Draft,
  message: Message,
  isNeeded: (message: Message) => boolean = () => false
): void {
  const { kind, slot, author } = message
  const kept = keptOf(draft, kind, slot, author)
  if (kept.some(({ id }) => equalBytes(id, message.id))) return
  accuse(draft, message)
  const isFull = kept.length >= DISTINCT_MAX
  if (isFull && !isNeeded(message)) return
  if (!makeRoomAhead(draft, message)) return
  const others = isFull ? withoutOne(kept, isNeeded) : kept
  draft.messages = withKept(draft.messages, kind, slot, author, [...others, message])
}

/** Drops the last message on which nothing depends, or else the last one. */
function withoutOne(kept: readonly Message[], isNeeded: (message: Message) => boolean): readonly Message[] {
  const spare = kept.findLastIndex((message) => !isNeeded(message))
  return kept.toSpliced(spare, 1)
}

/** Convicts the author of a message when a kept message contradicts it (rule 10 *Evidence*). */
function accuse(draft: Draft, message: Message): void {
  if (draft.equivocators.has(message.author)) return
  const places = message.kind === 'attestation' ? ATTEMPTS_MAX : 1
  for (let place = 0; place < places; place++) {
    const slot = message.kind === 'attestation' ? place : message.slot
    const [first] = keptOf(draft, message.kind, slot, message.author)
    if (first !== undefined) convict(draft, first, message)
  }
}

/**
 * Rule 15 *Bounds*: whether a message of a view beyond the next is superseded by a kept one of a later view with the
 * same author and kind: it is useless and need not even be verified.
 */
export function isOutrun(
  state: Pick<PeerState, 'context' | 'messages' | 'view'>,
  { kind, slot, round, author }: Pick<Header, 'kind' | 'slot' | 'round' | 'author'>
): boolean {
  if (!VIEW_KINDS.has(kind) || round !== state.context.round || slot <= nearestView(state)) return false
  const index = memberIndex(state.context, author)
  return allSlots(state).some((held) => held.kind === kind && held.slot > slot && held.byAuthor.has(index))
}

/** The last view of which everything is kept: the one after the current. */
function nearestView({ view }: Pick<PeerState, 'view'>): number {
  return Math.max(view, 0) + 1
}

/**
 * For views beyond the next, one message per author and kind is kept: that of the highest view (rule 15 *Bounds*). It
 * shows where its author is; sync delivers what this peer missed once it has jumped there.
 *
 * @returns whether the message may be kept
 */
function makeRoomAhead(draft: Draft, { kind, slot, author }: Message): boolean {
  const nearest = nearestView(draft)
  if (!VIEW_KINDS.has(kind) || slot <= nearest) return true
  for (const held of allSlots(draft)) {
    if (held.kind !== kind || held.slot <= nearest || !held.byAuthor.has(author)) continue
    if (held.slot > slot) return false
    if (held.slot < slot) draft.messages = withKept(draft.messages, kind, held.slot, author, [])
  }
  return true
}
