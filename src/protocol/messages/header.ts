import { z } from 'zod'
import { encodeCanonical, hashCanonical, hashEncoded, withDomain } from '../encoding/canonical-cbor.ts'
import { digestSchema, peerSchema, positiveSchema, signatureSchema } from '../encoding/schemas.ts'

/** Everything that a member may sign in a round. */
export const KINDS = [
  'manifest',
  'endorsement',
  'ready',
  'proposal',
  'prevote',
  'precommit',
  'attestation',
  'evidence',
  'membership-vote'
] as const

export type Kind = (typeof KINDS)[number]

/** Kinds whose slot is a view. */
export const VIEW_KINDS: ReadonlySet<Kind> = new Set(['proposal', 'prevote', 'precommit'])

export const headerSchema = z.strictObject({
  charter: digestSchema,
  kind: z.enum(KINDS),
  round: positiveSchema,
  /**
   * View, attempt or member index that distinguishes the messages of a kind in a round; 0 for kinds sent once per
   * round.
   */
  slot: z.number().int().min(0),
  parent: digestSchema,
  author: peerSchema,
  /** Hash of the body. */
  payload: digestSchema
})

/** The signed part: small whatever the body's size, so that two conflicting headers are evidence by themselves. */
export type Header = z.infer<typeof headerSchema>

export const signedHeaderSchema = z.strictObject({ header: headerSchema, signature: signatureSchema })

/** A header with its author's signature: all that evidence needs from a message. */
export type SignedHeader = z.infer<typeof signedHeaderSchema>

/** The bytes covered by a message's signature. */
export function signedHeaderBytes(header: Header): Uint8Array {
  return withDomain('message', encodedHeader(header))
}

/** Cached: headers are values, and signature and id cover the same bytes. */
const encodedHeaders = new WeakMap<Header, Uint8Array>()

function encodedHeader(header: Header): Uint8Array {
  const known = encodedHeaders.get(header)
  if (known !== undefined) return known
  const encoded = encodeCanonical(header)
  encodedHeaders.set(header, encoded)
  return encoded
}

/** Id of a message: the hash of its header, which covers author, round, parent and body but no signature. */
export function messageId(header: Header): Uint8Array {
  return hashEncoded('message-id', encodedHeader(header))
}

/** Hash of a body, as stated in its header. */
export function payloadOf(body: unknown): Uint8Array {
  return hashCanonical('payload', body)
}
