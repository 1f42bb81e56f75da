import { z } from 'zod'
import { byteString } from './canonical-cbor.ts'
import { isSmallOrder, publicKeyOf } from './signature.ts'

/** A SHA-256 digest: 32 bytes. */
export const digestSchema = byteString(32)
/** An Ed25519 signature: 64 bytes. */
export const signatureSchema = byteString(64)

/** PeerId of an Ed25519 key, as multihash bytes. */
export const peerSchema = byteString().refine(
  (bytes) => publicKeyOf(bytes) !== undefined,
  'must be the PeerId of an Ed25519 key'
)

/** PeerId of a member (rule 18 *One verifier*). */
export const memberPeerSchema = peerSchema.refine((bytes) => {
  const key = publicKeyOf(bytes)
  return key === undefined || !isSmallOrder(key)
}, 'a key of small order is refused')

/** Control characters, line and paragraph separators, and characters that change the direction of text. */
const STEERING = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

/**
 * A text that others wrote and that is displayed.
 *
 * @param max UTF-16 code units
 */
export function textSchema(max: number) {
  return z
    .string()
    .max(max)
    .refine((text) => !STEERING.test(text), 'must not contain control characters')
}

/** A positive integer. */
export const positiveSchema = z.number().int().positive()
/** A non-negative integer: a round, a view, a slot. */
export const counterSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
