import { z } from 'zod'
import { digestSchema, MEMBERS_MAX, VOTERS_MAX } from './charter/charter.ts'
import { bitmapOf, equalBytes, hasBit } from './encoding/bytes.ts'
import { byteString, decodeCanonical, encodeCanonical } from './encoding/canonical-cbor.ts'
import { bodySchemas, type Certificate, certificateSchema, type Kind } from './messages/bodies.ts'
import { MESSAGE_BYTES_MAX } from './messages/message.ts'
import { manifestOf } from './state/draft.ts'
import { completeAuthors } from './state/needed.ts'
import type { PeerState } from './state/state.ts'

/** Most bytes of a sync request. */
export const SYNC_REQUEST_BYTES_MAX = 64 * 1024
/** Most bytes of a sync answer. */
export const SYNC_ANSWER_BYTES_MAX = 5 * 1024 * 1024
/** Most bytes of messages in one answer; the rest comes with the next. */
const ANSWER_PAYLOAD_BYTES_MAX = 1024 * 1024
const SLOTS_MAX = 1024
/** Bytes of the slots that are told: with `wanted` full, a request still stays under its bound. */
const OWN_SLOTS_BYTES_MAX = 48 * 1024
/** Bytes of a slot around its bitmap. */
const SLOT_BYTES = 43

const membersBitmap = byteString().refine((bytes) => bytes.length <= MEMBERS_MAX / 8, 'is too long a bitmap')

const requestSchema = z.strictObject({
  version: z.literal(1),
  charter: digestSchema,
  round: z.number().int().positive(),
  parent: digestSchema,
  certified: membersBitmap,
  /** Whose messages the asker holds, by kind and slot. */
  have: z
    .array(
      z.strictObject({
        kind: z.enum(Object.keys(bodySchemas) as [Kind, ...Kind[]]),
        slot: z.number().int().min(0),
        members: membersBitmap
      })
    )
    .max(SLOTS_MAX),
  /** Ids of manifests that the round depends on and the asker lacks. */
  wanted: z.array(digestSchema).max(VOTERS_MAX)
})

const answerSchema = z.strictObject({
  version: z.literal(1),
  /** Round that the answerer is in. */
  round: z.number().int().positive(),
  /** Latest round that the answerer attested (rule 17 *Lost log*). */
  attested: z.number().int().min(0),
  /** Sealed rounds from the asker's on, as bytes, where the asker is behind. */
  sealedRounds: z.array(byteString()).max(64),
  certificates: z.array(certificateSchema).max(VOTERS_MAX),
  messages: z.array(byteString().refine((bytes) => bytes.length <= MESSAGE_BYTES_MAX)).max(65_536)
})

/** What a peer says it has (rule 14 *Sync*). */
export type SyncRequest = z.infer<typeof requestSchema>
/** What the other gives to fill the gaps. */
export type SyncAnswer = z.infer<typeof answerSchema>

/** Rule 14 *Sync*: what this peer holds of its round, so that another can tell what it lacks. */
export function syncRequest(state: PeerState): SyncRequest {
  const { context } = state
  const have = [...state.messages.keys()].map((key) => {
    const [kind, number] = key.split('/') as [Kind, string]
    const slot = Number(number)
    return { kind, slot, members: bitmapOf(context.members.length, completeAuthors(state, kind, slot)) }
  })
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
    author: state.context.members.findIndex((member) => equalBytes(member.peer, peer)),
    manifest
  }))
  const lacking = [...certified, ...decided].filter(
    ({ author, manifest }) => manifestOf(state, author, manifest) === undefined
  )
  return lacking.map(({ manifest }) => manifest).slice(0, VOTERS_MAX)
}

/** What `state` holds of the asker's own round that the asker lacks, within the bound on an answer. */
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
  const uncertified = [...state.certificates.values()].filter(
    ({ author }) => !hasBit(request.certified, author)
  )
  const certificates = uncertified.filter(({ endorsements }) => within(endorsements.length * 80))
  const had = new Map(request.have.map(({ kind, slot, members }) => [`${kind}/${slot}`, members]))
  const messages: Uint8Array[] = []
  for (const [key, slot] of state.messages) {
    const [kind, number] = key.split('/') as [Kind, string]
    const isCertified = state.certificates.has(Number(number)) || hasBit(request.certified, Number(number))
    if (kind === 'endorsement' && isCertified) continue
    const members = had.get(key) ?? new Uint8Array()
    for (const [author, kept] of slot) {
      const isHad = hasBit(members, author)
      if (isHad && request.wanted.length === 0) continue
      const lacked = kept.filter(
        ({ id }) => !isHad || request.wanted.some((wanted) => equalBytes(wanted, id))
      )
      for (const message of lacked) if (within(message.bytes.length)) messages.push(message.bytes)
    }
  }
  return { certificates, messages }
}

/** The bytes of a request. */
export function encodeSyncRequest(request: SyncRequest): Uint8Array {
  return encodeCanonical(request)
}

/** @throws {MalformedError} */
export function decodeSyncRequest(bytes: Uint8Array): SyncRequest {
  return decodeCanonical(bytes, requestSchema, SYNC_REQUEST_BYTES_MAX)
}

/** The bytes of an answer. */
export function encodeSyncAnswer(answer: SyncAnswer): Uint8Array {
  return encodeCanonical(answer)
}

/** @throws {MalformedError} */
export function decodeSyncAnswer(bytes: Uint8Array): SyncAnswer {
  return decodeCanonical(bytes, answerSchema, SYNC_ANSWER_BYTES_MAX)
}
