import { z } from 'zod'
import { MESSAGE_BYTES_MAX } from '../charter/limits.ts'
import { equalBytes } from '../encoding/bytes.ts'
import { decodeCanonical, encodeCanonical, MalformedError } from '../encoding/canonical-cbor.ts'
import { signatureSchema } from '../encoding/schemas.ts'
import type { Signer } from '../encoding/signature.ts'
import type { RoundContext } from '../round/context.ts'
import { type Body, bodySchemas } from './bodies.ts'
import { type Header, headerSchema, type Kind, messageId, payloadOf, signedHeaderBytes } from './header.ts'

/** Maximum size of an envelope by kind, in bytes: only manifests and proposals are long. */
export const KIND_BYTES_MAX: Readonly<Record<Kind, number>> = {
  manifest: MESSAGE_BYTES_MAX,
  proposal: MESSAGE_BYTES_MAX,
  endorsement: 1024,
  ready: 2048,
  prevote: 1024,
  precommit: 1024,
  attestation: 1024,
  evidence: 4096,
  'membership-vote': 2048
}

const envelopeSchema = z.strictObject({
  version: z.literal(1),
  header: headerSchema,
  body: z.unknown(),
  signature: signatureSchema
})

/** A well-formed message whose signature has not been verified yet. */
export interface Envelope<K extends Kind = Kind> {
  readonly kind: K
  readonly header: Header
  readonly body: Body<K>
  readonly signature: Uint8Array
  /** The encoded envelope. */
  readonly bytes: Uint8Array
}

/** An envelope of a member of the round, with a valid signature. */
export interface Message<K extends Kind = Kind> extends Envelope<K> {
  /** Hash of the header: the id of a manifest. */
  readonly id: Uint8Array
  /** Index of the author among the round's members. */
  readonly author: number
  readonly slot: number
}

/** Narrows a message or an envelope to its kind. */
export function isKind<K extends Kind>(message: Message, kind: K): message is Message<K>
export function isKind<K extends Kind>(envelope: Envelope, kind: K): envelope is Envelope<K>
export function isKind(envelope: Envelope, kind: Kind): boolean {
  return envelope.kind === kind
}

/** A header of one kind of message. */
type HeaderOf<K extends Kind> = Header & { readonly kind: K }

/** The header that `peer` signs for a body of this round. */
export function headerFor<K extends Kind>(
  context: RoundContext,
  kind: K,
  slot: number,
  peer: Uint8Array,
  body: Body<K>
): HeaderOf<K> {
  return {
    charter: context.charterId,
    kind,
    round: context.round,
    slot,
    parent: context.parent,
    author: peer,
    payload: payloadOf(body)
  }
}

/** Signs a body as a message of this round. */
export function signMessage<K extends Kind>(
  context: RoundContext,
  signer: Signer,
  kind: K,
  slot: number,
  body: Body<K>
): Message<K> {
  return signHeader(context, signer, headerFor(context, kind, slot, signer.peer, body), body)
}

/** Signs a header created for a body. */
export function signHeader<K extends Kind>(
  context: RoundContext,
  signer: Signer,
  header: HeaderOf<K>,
  body: Body<K>
): Message<K> {
  const { kind, slot } = header
  const signature = signer.sign(signedHeaderBytes(header))
  const bytes = encodeCanonical({ version: 1, header, body, signature })
  const author = context.members.findIndex((member) => equalBytes(member.peer, signer.peer))
  return { kind, header, body, signature, bytes, id: messageId(header), author, slot }
}

/**
 * Decodes an envelope: canonical encoding, known version and kind, a body of that kind whose hash is in the header.
 *
 * @throws {MalformedError} naming what is wrong
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const envelope = decodeCanonical(bytes, envelopeSchema, MESSAGE_BYTES_MAX)
  const { header } = envelope
  const limit = KIND_BYTES_MAX[header.kind]
  if (bytes.length > limit)
    throw new MalformedError(`${header.kind}: ${bytes.length} bytes where at most ${limit} are allowed`)
  const parsed = bodySchemas[header.kind].safeParse(envelope.body)
  if (!parsed.success) throw new MalformedError(`${header.kind}: ${parsed.error.issues[0]?.message}`)
  if (!equalBytes(payloadOf(envelope.body), header.payload))
    throw new MalformedError(`${header.kind}: the body is not the signed one`)
  return { kind: header.kind, header, body: parsed.data, signature: envelope.signature, bytes }
}
