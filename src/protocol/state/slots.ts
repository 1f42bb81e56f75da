import { equalBytes } from '../encoding/bytes.ts'
import type { Kind } from '../messages/header.ts'
import type { Message } from '../messages/message.ts'

/** The kept messages of one kind and slot, by author; at most two distinct ones each (rule 15 *Bounds*). */
export interface Slot<K extends Kind = Kind> {
  readonly kind: K
  readonly slot: number
  readonly byAuthor: ReadonlyMap<number, readonly Message<K>[]>
}

declare const slotKey: unique symbol
type SlotKey = string & { readonly [slotKey]: true }

/** The kept messages of a round. Slots are in the order in which their first messages arrived. */
export type Slots = ReadonlyMap<SlotKey, Slot>

/** Anything that contains the messages of a round: a state, or a draft of one. */
export interface HoldsMessages {
  readonly messages: Slots
}

export const NO_MESSAGES: Slots = new Map()

function keyOf(kind: Kind, slot: number): SlotKey {
  return `${kind}/${slot}` as SlotKey
}

/** The messages of one kind and slot; undefined when there are none. */
export function slotOf<K extends Kind>(
  { messages }: HoldsMessages,
  kind: K,
  slot: number
): Slot<K> | undefined {
  return messages.get(keyOf(kind, slot)) as Slot<K> | undefined
}

/** All slots, in the order in which their first messages arrived. */
export function allSlots({ messages }: HoldsMessages): readonly Slot[] {
  return [...messages.values()]
}

/** The slots of one kind, in the order in which their first messages arrived. */
export function slotsOf<K extends Kind>({ messages }: HoldsMessages, kind: K): readonly Slot<K>[] {
  const found: Slot<K>[] = []
  for (const slot of messages.values()) if (slot.kind === kind) found.push(slot as Slot<K>)
  return found
}

/** The kept messages of one author in a kind and slot, in the order in which they arrived. */
export function keptOf<K extends Kind>(
  state: HoldsMessages,
  kind: K,
  slot: number,
  author: number
): readonly Message<K>[] {
  return slotOf(state, kind, slot)?.byAuthor.get(author) ?? []
}

/** The author's message that counts for a kind and slot: the first to arrive. */
export function firstOf<K extends Kind>(
  state: HoldsMessages,
  kind: K,
  slot: number,
  author: number
): Message<K> | undefined {
  return slotOf(state, kind, slot)?.byAuthor.get(author)?.[0]
}

/** All kept messages of a kind and slot. */
export function messagesOf<K extends Kind>(state: HoldsMessages, kind: K, slot: number): Message<K>[] {
  return [...(slotOf(state, kind, slot)?.byAuthor.values() ?? [])].flat()
}

/** Number of members heard from in a kind and slot. */
export function countOf(state: HoldsMessages, kind: Kind, slot: number): number {
  return slotOf(state, kind, slot)?.byAuthor.size ?? 0
}

/** The kept manifest with this id. */
export function manifestOf(
  state: HoldsMessages,
  author: number,
  id: Uint8Array
): Message<'manifest'> | undefined {
  return keptOf(state, 'manifest', 0, author).find((message) => equalBytes(message.id, id))
}

/** The same messages, with one author's messages of a kind and slot replaced; a slot without authors is dropped. */
export function withKept(
  messages: Slots,
  kind: Kind,
  slot: number,
  author: number,
  kept: readonly Message[]
): Slots {
  const key = keyOf(kind, slot)
  const byAuthor = new Map(messages.get(key)?.byAuthor)
  if (kept.length === 0) byAuthor.delete(author)
  else byAuthor.set(author, kept)
  const changed = new Map(messages)
  if (byAuthor.size === 0) changed.delete(key)
  else changed.set(key, { kind, slot, byAuthor })
  return changed
}
