import { decode, encode } from '@ipld/dag-cbor'
import { BLOCK_BYTES_MAX } from '../../../adapter/index.ts'
import { NetworkError } from '../requests/network-error.ts'
import { DIGESTS_PER_REQUEST_MAX, RETRY_AFTER_MS_MAX } from './constants.ts'

/** A decoded request. */
export interface BlockRequest {
  readonly digests: readonly string[]
  /** Whether the asker accepts zstd. */
  readonly zstd: boolean
}

/** The header before each answered block. */
export type BlockAnswer =
  /** `zstd` is the length of the block's zstd frame, if it is compressed. */
  | { readonly status: 'found'; readonly length: number; readonly zstd?: number }
  | { readonly status: 'missing' }
  | { readonly status: 'busy'; readonly retryAfterMs: number }

const DIGEST_BYTES = 32

/**
 * A request for blocks.
 *
 * @param digests one to 256, 64 lowercase hex digits each
 * @param zstd whether blocks may come compressed
 */
export function encodeBlockRequest(digests: readonly string[], zstd = false): Uint8Array {
  return encode({
    ...(zstd && { zstd }),
    digests: digests.map((digest) => Uint8Array.from(Buffer.from(digest, 'hex')))
  })
}

/** Decodes a request. @throws {NetworkError} `protocol` */
export function decodeBlockRequest(bytes: Uint8Array): BlockRequest {
  const { digests, zstd = false, ...rest } = decodeCanonical(bytes)
  const valid =
    Array.isArray(digests) &&
    digests.length >= 1 &&
    digests.length <= DIGESTS_PER_REQUEST_MAX &&
    digests.every((digest) => digest instanceof Uint8Array && digest.length === DIGEST_BYTES) &&
    typeof zstd === 'boolean'
  if (!valid || Object.keys(rest).length > 0)
    throw new NetworkError('protocol', 'a malformed request for blocks')
  return { digests: digests.map((digest: Uint8Array) => Buffer.from(digest).toString('hex')), zstd }
}

/** The header of an answer. */
export function encodeBlockAnswer(answer: BlockAnswer): Uint8Array {
  return encode(answer)
}

/** The header of an answer; a wait that is too long is shortened. @throws {NetworkError} `protocol` */
export function decodeBlockAnswer(bytes: Uint8Array): BlockAnswer {
  const { status, ...rest } = decodeCanonical(bytes)
  const keys = Object.keys(rest).join()
  if (status === 'missing' && keys === '') return { status }
  const { length, zstd } = rest
  if (status === 'found' && isCount(length) && length <= BLOCK_BYTES_MAX) {
    if (keys === 'length') return { status, length }
    if (keys === 'zstd,length' && isCount(zstd) && zstd > 0 && zstd < length) return { status, length, zstd }
  }
  if (status === 'busy' && keys === 'retryAfterMs' && isCount(rest.retryAfterMs)) {
    return { status, retryAfterMs: Math.min(rest.retryAfterMs, RETRY_AFTER_MS_MAX) }
  }
  throw new NetworkError('protocol', 'a malformed answer to a request for blocks')
}

/**
 * dag-cbor also decodes what it would not encode (unsorted keys, half floats): only the canonical encoding is accepted.
 */
function decodeCanonical(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = decode(bytes)
    if (Buffer.compare(encode(value), bytes) !== 0) throw new Error('not in its canonical form')
  } catch (error) {
    throw new NetworkError('protocol', `not canonical DAG-CBOR: ${String(error)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new NetworkError('protocol', 'a message that is not a map')
  }
  return value as Record<string, unknown>
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
