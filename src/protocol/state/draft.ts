import { equalBytes, hex } from '../encoding/bytes.ts'
import type { Signer, Verify } from '../encoding/signature.ts'
import type { Body, Kind } from '../messages/bodies.ts'
import { ATTEMPTS_MAX } from '../messages/judge.ts'
import { headerFor, type Message, messageId, signHeader } from '../messages/message.ts'
import { convict } from '../rules/evidence.ts'
import type { Effect, SignedRecord } from './effects.ts'
import type { Holding, PeerState, Slot } from './state.ts'

/** Most distinct messages that are kept of one author, kind and slot: two are evidence, more are only weight. */
const DISTINCT_MAX = 2
/** Longest time that timers of JavaScript run; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** A step in the making: the rules change it, copying what they touch, so that the state before stays whole. */
export type Draft = { -readonly [Key in keyof PeerState]: PeerState[Key] } & {
  readonly signer: Signer
  readonly verify: Verify
  /** The own clock, milliseconds, where there is one. */
  readonly now?: number | undefined
  effects: Effect[]
}

/** The one message of an author that counts in a kind and slot: the first that was seen. */
export function firstOf<K extends Kind>(
  draft: PeerState,
  kind: K,
  slot: number,
  author: number
): Message<K> | undefined {
  return draft.messages.get(`${kind}/${slot}`)?.get(author)?.[0] as Message<K> | undefined
}

/** The kept messages of one author in a kind and slot, in the order in which they came. */
export function keptOf<K extends Kind>(
  draft: PeerState,
  kind: K,
  slot: number,
  author: number
): readonly Message<K>[] {
  return (draft.messages.get(`${kind}/${slot}`)?.get(author) ?? []) as readonly Message<K>[]
}

/** All kept messages of a kind and slot. */
export function messagesOf<K extends Kind>(draft: PeerState, kind: K, slot: number): Message<K>[] {
  return [...(draft.messages.get(`${kind}/${slot}`)?.values() ?? [])].flat() as Message<K>[]
}

/** Number of members heard in a kind and slot. */
export function countOf(draft: PeerState, kind: Kind, slot: number): number {
  return draft.messages.get(`${kind}/${slot}`)?.size ?? 0
}

/** Number of members who voted for `cut` (null: for none) in a view. */
export function votesFor(
  draft: PeerState,
  kind: 'prevote' | 'precommit',
  view: number,
  cut: Uint8Array | null
): number {
  return tallyOf(draft, kind, view).find((count) => isVoteFor(count.cut, cut))?.votes ?? 0
}

/** How many members voted for a cut, or for none. */
export interface Count {
  readonly cut: Uint8Array | null
  readonly votes: number
}

/** What members voted for in a view, but for those `without`; one that voted for several things counts for each. */
export function tallyOf(
  draft: PeerState,
  kind: 'prevote' | 'precommit',
  view: number,
  without: ReadonlySet<number> = NOBODY
): readonly Count[] {
  const slot = draft.messages.get(`${kind}/${view}`)
  if (slot === undefined) return []
  return without.size === 0
    ? tallyOfSlot(slot)
    : countVotes([...slot].filter(([author]) => !without.has(author)).map(([, kept]) => kept))
}

const NOBODY: ReadonlySet<number> = new Set()

/** By slot, which is a value: votes are counted again in every step, and most slots stay as they are. */
const tallies = new WeakMap<Slot, readonly Count[]>()

function tallyOfSlot(slot: Slot): readonly Count[] {
  const known = tallies.get(slot)
  if (known !== undefined) return known
  const counts = countVotes(slot.values())
  tallies.set(slot, counts)
  return counts
}

/** @param voters what each of them said */
function countVotes(voters: Iterable<readonly Message[]>): Count[] {
  const counts: { cut: Uint8Array | null; votes: number }[] = []
  for (const kept of voters) {
    const votes = (kept as Message<'prevote'>[]).map(({ body }) => body.cut)
    for (const [index, cut] of votes.entries()) {
      if (votes.findIndex((other) => isVoteFor(other, cut)) < index) continue
      const count = counts.find((candidate) => isVoteFor(candidate.cut, cut))
      if (count === undefined) counts.push({ cut, votes: 1 })
      else count.votes++
    }
  }
  return counts
}

function isVoteFor(vote: Uint8Array | null, cut: Uint8Array | null): boolean {
  return vote === cut || (vote !== null && cut !== null && equalBytes(vote, cut))
}

/** The kept manifest with this id. */
export function manifestOf(
  draft: PeerState,
  author: number,
  id: Uint8Array
): Message<'manifest'> | undefined {
  return keptOf(draft, 'manifest', 0, author).find((message) => equalBytes(message.id, id))
}

/**
 * Keeps a verified message within the bounds and reports the first author's contradiction of a round as equivocation.
 *
 * @param isNeeded whether the round may depend on a message: then it is kept even where its author already used up the
 *   places, and takes that of one on which nothing depends
 */
export function keep(
  draft: Draft,
  message: Message,
  isNeeded: (message: Message) => boolean = () => false
): void {
  const key = `${message.kind}/${message.slot}`
  const slot: Slot = draft.messages.get(key) ?? new Map()
  const kept = slot.get(message.author) ?? []
  if (kept.some(({ id }) => equalBytes(id, message.id))) return
  accuse(draft, message)
  const isFull = kept.length >= DISTINCT_MAX
  if (isFull && !isNeeded(message)) return
  if (!makeRoomAhead(draft, message)) return
  const room = isFull ? withoutOne(kept, isNeeded) : kept
  draft.messages = new Map(draft.messages).set(key, new Map(slot).set(message.author, [...room, message]))
}

/** All but the last on which nothing depends; where there is none, but the last. */
function withoutOne(kept: readonly Message[], isNeeded: (message: Message) => boolean): readonly Message[] {
  const spare = kept.findLastIndex((message) => !isNeeded(message))
  return kept.toSpliced(spare, 1)
}

/** Convicts the author of a message where another that is kept contradicts it (rule 10 *Evidence*). */
function accuse(draft: Draft, message: Message): void {
  if (draft.equivocators.has(message.author)) return
  const places = message.kind === 'attestation' ? ATTEMPTS_MAX : 1
  for (let place = 0; place < places; place++) {
    const slot = message.kind === 'attestation' ? place : message.slot
    const [first] = keptOf(draft, message.kind, slot, message.author)
    if (first !== undefined) convict(draft, first as Message, message)
  }
}

/** Kinds whose slot is a view. */
const VIEW_KINDS: ReadonlySet<Kind> = new Set(['proposal', 'prevote', 'precommit'])

/**
 * Of views beyond the next, one message an author and kind is kept: that of the highest (rule 15 *Bounds*). It tells that
 * its author is there; what it missed is pulled once this peer has jumped.
 *
 * @returns whether the message may be kept
 */
function makeRoomAhead(draft: Draft, { kind, slot, author }: Message): boolean {
  const nearest = Math.max(draft.view, 0) + 1
  if (!VIEW_KINDS.has(kind) || slot <= nearest) return true
  for (const [key, held] of draft.messages) {
    const [heldKind, view] = key.split('/') as [Kind, string]
    if (heldKind !== kind || Number(view) <= nearest || !held.has(author)) continue
    if (Number(view) > slot) return false
    if (Number(view) === slot) continue
    const rest = new Map(held)
    rest.delete(author)
    const messages = new Map(draft.messages)
    if (rest.size === 0) messages.delete(key)
    else messages.set(key, rest)
    draft.messages = messages
  }
  return true
}

/**
 * Signs, logs and sends a message of one's own, once for each kind and slot: whatever was said there before stands.
 * The record comes before the broadcast, so that a restarted peer knows all that it ever said.
 *
 * @param grounds what the message claims to hold, to be logged with it
 */
export function say<K extends Kind>(
  draft: Draft,
  kind: K,
  slot: number,
  body: Body<K>,
  grounds: Pick<SignedRecord, 'certificates'> = {}
): void {
  if (draft.self < 0 || !mayVote(draft, kind)) return
  if (keptOf(draft, kind, slot, draft.self).length > 0) return
  sign(draft, kind, slot, body, grounds)
}

/** Who is not drawn into the committee speaks only as an author, of evidence and of its own leave (rule 13 *Sample*). */
function mayVote({ context, self }: Draft, kind: Kind): boolean {
  return (
    kind === 'manifest' || kind === 'evidence' || kind === 'membership-vote' || context.voters.includes(self)
  )
}

/** Whether this peer signs nothing in its round, since it does not know what it signed before (rule 17 *Lost log*). */
export function isSilent({ context, silentThrough }: PeerState): boolean {
  return context.round <= silentThrough
}

/** Signs, logs and sends, whatever was said in this place before; the same again changes nothing. */
export function sign<K extends Kind>(
  draft: Draft,
  kind: K,
  slot: number,
  body: Body<K>,
  grounds: Pick<SignedRecord, 'certificates'> = {}
): void {
  if (draft.self < 0 || isSilent(draft) || !mayVote(draft, kind)) return
  const header = headerFor(draft.context, kind, slot, draft.signer.peer, body)
  // Rules say the same again with every step: only what is new is worth a signature.
  const id = messageId(header)
  if (keptOf(draft, kind, slot, draft.self).some((before) => equalBytes(before.id, id))) return
  const message = signHeader(draft.context, draft.signer, header, body) as Message
  keep(draft, message)
  const record = { type: 'signed', envelope: message.bytes, ...grounds } as const
  draft.effects.push({ type: 'persist', record }, { type: 'broadcast', message })
}

/** Starts a timer once in a round. */
export function startTimer(draft: Draft, timer: string, milliseconds: number): void {
  if (draft.timers.has(timer)) return
  draft.timers = new Set(draft.timers).add(timer)
  const { round } = draft.context
  draft.effects.push({ type: 'timer', round, timer, milliseconds: Math.min(milliseconds, TIMER_MS_MAX) })
}

/** Notes what became of a manifest's blocks. */
export function hold(draft: Draft, manifest: Uint8Array, holding: Holding): void {
  draft.holdings = new Map(draft.holdings).set(hex(manifest), holding)
}

/** Whether every block of a manifest is here, valid or not. */
export function isHeld(draft: PeerState, manifest: Uint8Array): boolean {
  const holding = draft.holdings.get(hex(manifest))
  return holding === 'valid' || holding === 'invalid'
}

/** Stops for good, loudly: a person has to look. */
export function halt(draft: Draft, reason: string): void {
  if (draft.halted !== undefined) return
  draft.halted = reason
  draft.effects.push({ type: 'halt', reason })
}
