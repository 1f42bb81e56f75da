import { z } from 'zod'
import { MESSAGE_BYTES_MAX, VOTERS_MAX } from '../charter/limits.ts'
import { byteString, decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts'
import { counterSchema } from '../encoding/schemas.ts'
import { certificateSchema, cutSchema } from '../messages/bodies.ts'
import { decodeEnvelope } from '../messages/message.ts'
import type { LogRecord } from './effects.ts'

/** Maximum size of a record in bytes: a ready with the certificates of all trainers. */
export const LOG_RECORD_BYTES_MAX = 16 * 1024 * 1024

const envelope = byteString().refine((bytes) => bytes.length <= MESSAGE_BYTES_MAX, 'the envelope is too long')

const logRecordSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('signed'),
    envelope,
    certificates: z.array(certificateSchema).max(VOTERS_MAX).optional()
  }),
  z.strictObject({
    type: z.literal('valid'),
    round: counterSchema,
    view: counterSchema,
    cut: cutSchema,
    prevotes: z.array(envelope).max(2 * VOTERS_MAX)
  }),
  z.strictObject({ type: z.literal('silent'), through: counterSchema })
])

/** The bytes of a record of the write-ahead log. */
export function encodeLogRecord(record: LogRecord): Uint8Array {
  return encodeCanonical(record)
}

/** @throws {MalformedError} when the bytes are not a record */
export function decodeLogRecord(bytes: Uint8Array): LogRecord {
  return decodeCanonical(bytes, logRecordSchema, LOG_RECORD_BYTES_MAX) as LogRecord
}

/** The last round for which a record must be kept. */
export function roundOfRecord(record: LogRecord): number {
  if (record.type === 'silent') return record.through
  return record.type === 'valid' ? record.round : decodeEnvelope(record.envelope).header.round
}
