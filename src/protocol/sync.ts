import { z } from 'zod'
import { MESSAGE_BYTES_MAX, VOTERS_MAX } from './charter/limits.ts'
import { bitmapOf, equalBytes, hasBit } from './encoding/bytes.ts'
import { byteString, decodeCanonical, encodeCanonical } from './encoding/canonical-cbor.ts'
import { groupBy } from './encoding/group-by.ts'
import { counterSchema, digestSchema, positiveSchema } from './encoding/schemas.ts'
import { type Certificate, certificateSchema, membersBitmapSchema } from './messages/bodies.ts'
import { KINDS } from './messages/header.ts'
import { memberIndex } from './round/context.ts'
import { completeAuthors } from './state/needed.ts'
import { allSlots, manifestOf, type Slot } from './state/slots.ts'
import type { PeerState } from './state/state.ts'

/** Maximum size of a sync request in bytes. */
export const SYNC_REQUEST_BYTES_MAX = 64 * 1024
/** Maximum size of a sync response in bytes. */
export const SYNC_ANSWER_BYTES_MAX = 5 * 1024 * 1024
/** Maximum bytes of messages in one response; the rest comes with the next. */
const ANSWER_PAYLOAD_BYTES_MAX = 1024 * 1024
const SLOTS_MAX = 1024
/** Maximum bytes of the slots in a request, so that it stays under its bound even if `wanted` is full. */
const OWN_SLOTS_BYTES_MAX = 48 * 1024
/** Bytes of a slot around its bitmap. */
const SLOT_BYTES = 43

const requestSchema = z.strictObject({
  version: z.literal(1),
  charter: digestSchema,
  round: positiveSchema,
  parent: digestSchema,
  certified: membersBitmapSchema,
  /** The authors whose messages the requester does not need, by kind and slot. */
  have: z
    .array(
      z.strictObject({
        kind: z.enum(KINDS),
        slot: z.number().int().min(0),
        members: membersBitmapSchema
      })
    )
    .max(SLOTS_MAX),
  /** Ids of manifests that the round depends on and the requester lacks. */
  wanted: z.array(digestSchema).max(VOTERS_MAX)
})

const answerSchema = z.strictObject({
  version: z.literal(1),
  /** The responder's round. */
  round: positiveSchema,
  /** The latest round that the responder attested (rule 17 *Lost log*). */
  attested: counterSchema,
  /** Encoded sealed rounds starting with the requester's, if the requester is behind. */
  sealedRounds: z.array(byteString()).max(64),
  certificates: z.array(certificateSchema).max(VOTERS_MAX),
  messages: z.array(byteString().refine((bytes) => bytes.length <= MESSAGE_BYTES_MAX)).max(65_536)
})

/** What a peer holds of its round (rule 14 *Sync*). */
export type SyncRequest = z.infer<typeof requestSchema>
/** What the responder adds to it. */
export type SyncAnswer = z.infer<typeof answerSchema>

/** Rule 14 *Sync*: describes what this peer holds of its round, so that another can tell what it lacks. */
export function syncRequest(state: PeerState): SyncRequest {
  const { context } = state
  const have = allSlots(state).map(({ kind, slot }) => ({
    kind,
    slot,
    members: bitmapOf(context.members.length, completeAuthors(state, kind, slot))
  }))
  return {
    version: 1,
    charter: context.charterId,
    round: context.round,
    parent: context.parent,
    certified: bitmapOf(context.members.length, state.certificates.keys()),
    have: have
      .filter(({ kind, slot }) => kind !== 'endorsement' || !state.certificates.has(slot))
      .slice(-ownSlotsMax(context.members.length)),
    wanted: wantedManifests(state)
  }
}

function ownSlotsMax(members: number): number {
  return Math.min(SLOTS_MAX, Math.floor(OWN_SLOTS_BYTES_MAX / (SLOT_BYTES + Math.ceil(members / 8))))
}

function wantedManifests(state: PeerState): Uint8Array[] {
  const certified = [...state.certificates.values()].map(({ author, manifest }) => ({ author, manifest }))
  const decided = (state.committed?.cut.entries ?? []).map(({ author: peer, manifest }) => ({
    author: memberIndex(state.context, peer),
    manifest
  }))
  const lacking = [...certified, ...decided].filter(
    ({ author, manifest }) => manifestOf(state, author, manifest) === undefined
  )
  return lacking.map(({ manifest }) => manifest).slice(0, VOTERS_MAX)
}

/**
 * Rule 14 *Sync*: what `state` holds of the requester's round and the requester lacks, within the bound on a response.
 */
export function answerSync(
  state: PeerState,
  request: SyncRequest
): { certificates: Certificate[]; messages: Uint8Array[] } {
  const { context } = state
  if (request.round !== context.round || !equalBytes(request.parent, context.parent))
    return { certificates: [], messages: [] }
  let bytes = 0
  const within = (size: number) => {
    bytes += size
    return bytes <= ANSWER_PAYLOAD_BYTES_MAX
  }
  const certificates = [...state.certificates.values()].filter(
    ({ author, endorsements }) => !hasBit(request.certified, author) && within(endorsements.length * 80)
  )
  const held = membersHeld(request)
  const messages = allSlots(state)
    .filter((slot) => !isCertified(state, request, slot))
    .flatMap((slot) => lackedOf(slot, held(slot), request))
    .filter((message) => within(message.length))
  return { certificates, messages }
}

/** Whether a slot contains endorsements that a certificate replaces. */
function isCertified({ certificates }: PeerState, { certified }: SyncRequest, { kind, slot }: Slot): boolean {
  return kind === 'endorsement' && (certificates.has(slot) || hasBit(certified, slot))
}

/** Looks up a slot in a request: a bitmap of the authors whose messages the requester does not need. */
function membersHeld({ have }: SyncRequest): (slot: Slot) => Uint8Array {
  const byKind = groupBy(have, ({ kind }) => kind)
  const bitmaps = new Map(
    [...byKind].map(([kind, slots]) => [kind, new Map(slots.map(({ slot, members }) => [slot, members]))])
  )
  return ({ kind, slot }) => bitmaps.get(kind)?.get(slot) ?? new Uint8Array()
}

/** The messages of a slot that the requester lacks, or wants because the round depends on them. */
function lackedOf({ byAuthor }: Slot, held: Uint8Array, { wanted }: SyncRequest): Uint8Array[] {
  const lacked: Uint8Array[] = []
  for (const [author, kept] of byAuthor) {
    const isHeld = hasBit(held, author)
    if (isHeld && wanted.length === 0) continue
    for (const { id, bytes } of kept)
      if (!isHeld || wanted.some((one) => equalBytes(one, id))) lacked.push(bytes)
  }
  return lacked
}

/** Encodes a request. */
export function encodeSyncRequest(request: SyncRequest): Uint8Array {
  return encodeCanonical(request)
}

/** @throws {MalformedError} */
export function decodeSyncRequest(bytes: Uint8Array): SyncRequest {
  return decodeCanonical(bytes, requestSchema, SYNC_REQUEST_BYTES_MAX)
}

/** Encodes a response. */
export function encodeSyncAnswer(answer: SyncAnswer): Uint8Array {
  return encodeCanonical(answer)
}

/** @throws {MalformedError} */
export function decodeSyncAnswer(bytes: Uint8Array): SyncAnswer {
  return decodeCanonical(bytes, answerSchema, SYNC_ANSWER_BYTES_MAX)
}
