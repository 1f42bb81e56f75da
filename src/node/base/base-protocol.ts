import { z } from 'zod'
import { byteString } from '../../protocol/encoding/canonical-cbor.ts'

/** Protocol by which a member gets the consortium's base model from others. */
export const BASE_PROTOCOL = '/loam/base/1'

/** What the charter has a digest of; the weights are all weight files, one after the other. */
export const BASE_FILES = ['config', 'tokenizer', 'weights'] as const
export type BaseFileName = (typeof BASE_FILES)[number]

/** Bytes of an answer: at most, and at least where more are left, so that nobody can be fed byte by byte. */
export const PIECE_BYTES = 1024 * 1024
export const PIECE_BYTES_MIN = 16 * 1024

const FRAME_BYTES = 256
export const TIMEOUT_MS = 20_000
export const LIMITS = {
  maxRequestBytes: FRAME_BYTES,
  maxResponseBytes: PIECE_BYTES + FRAME_BYTES,
  timeoutMs: TIMEOUT_MS,
  concurrency: 2,
  rate: { burst: 64, perSecond: 32 }
}

export const requestSchema = z.strictObject({
  version: z.literal(1),
  charter: byteString(32),
  file: z.enum(BASE_FILES),
  offset: z.number().int().min(0)
})
export const answerSchema = z.strictObject({
  version: z.literal(1),
  /** Length of the whole; 0 where the answerer does not have it. */
  total: z.number().int().min(0),
  bytes: byteString().refine((bytes) => bytes.length <= PIECE_BYTES)
})
