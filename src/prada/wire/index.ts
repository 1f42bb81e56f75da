/**
 * The wire format between a device and a logits server: one request and one answer per trip. Decoders reject everything
 * that is not a valid message, and allocate memory only for bytes that have arrived.
 *
 * @example
 * ```ts
 * const reader = createAnswerReader({ vocabularySize, topK, precision, positions, from })
 * for await (const chunk of body) for (const record of reader.push(chunk)) use(record)
 * reader.end()
 * ```
 */
export { DIGEST_BYTES, SESSION_BYTES, TEXT_MAX, VOCABULARY_MAX } from './constants.ts'
export {
  type AnswerHeader,
  type AnswerReader,
  answerBytesMax,
  createAnswerReader,
  type Expectation,
  encodeAnswerHeader,
  encodeRecord,
  type PositionRecord
} from './verify-answer.ts'
export {
  decodeVerifyRequest,
  encodeVerifyRequest,
  type PositionRequest,
  type RemoteDraft,
  type RequestLimits,
  type SharedNoise,
  sessionOf,
  type VerifyRequest
} from './verify-request.ts'
export { WireError } from './wire-error.ts'
