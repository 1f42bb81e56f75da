import { hash } from 'node:crypto'
import { decode, encode } from '@ipld/dag-cbor'
import { type ZodType, z } from 'zod'
import { equalBytes } from './bytes.ts'

export { encode as encodeCanonical }

/** A byte string; of exactly `length` bytes if given. */
export function byteString(length?: number): ZodType<Uint8Array> {
  const fits = (value: unknown) =>
    value instanceof Uint8Array && (length === undefined || value.length === length)
  return z.custom<Uint8Array>(fits, length === undefined ? 'must be bytes' : `must be ${length} bytes`)
}

/** Thrown for bytes that do not decode to the expected type; the message says why. */
export class MalformedError extends Error {
  override name = 'MalformedError'
}

/**
 * Decodes deterministic DAG-CBOR to a checked type. dag-cbor's decoder accepts unsorted keys and half floats, so the
 * value is encoded again and must give the same bytes.
 *
 * @param limit maximum number of bytes
 * @throws {MalformedError} unless `bytes` are the canonical encoding of a value that matches `schema`
 */
export function decodeCanonical<T>(bytes: Uint8Array, schema: ZodType<T>, limit: number): T {
  if (bytes.byteLength > limit)
    throw new MalformedError(`${bytes.byteLength} bytes where at most ${limit} are allowed`)
  let value: unknown
  try {
    value = decode(bytes)
    if (!equalBytes(encode(value), bytes)) throw new Error('not in canonical form')
  } catch (error) {
    throw new MalformedError(`not deterministic DAG-CBOR: ${(error as Error).message}`)
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new MalformedError(`${issue?.path.join('.') || 'value'}: ${issue?.message}`)
}

/**
 * SHA-256 over a domain name, a zero byte and the canonical encoding of `value`: an id of one kind can never be mistaken
 * for an id of another.
 */
export function hashCanonical(domain: string, value: unknown): Uint8Array {
  return hashEncoded(domain, encode(value))
}

/** Like {@link hashCanonical}, for a value that is already encoded. */
export function hashEncoded(domain: string, encoded: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', withDomain(domain, encoded), 'buffer'))
}

/** A domain's prefix and an encoded value: the bytes to hash or sign. */
export function withDomain(domain: string, encoded: Uint8Array): Uint8Array {
  const prefix = domainPrefix(domain)
  const bytes = new Uint8Array(prefix.length + encoded.length)
  bytes.set(prefix)
  bytes.set(encoded, prefix.length)
  return bytes
}

/** By domain: the domains are literals in this code, so their number is bounded. */
const prefixes = new Map<string, Uint8Array>()

/** The prefix of everything that is hashed or signed for `domain`. */
function domainPrefix(domain: string): Uint8Array {
  const known = prefixes.get(domain)
  if (known !== undefined) return known
  const prefix = new TextEncoder().encode(`loam/${domain}/1\0`)
  prefixes.set(domain, prefix)
  return prefix
}
