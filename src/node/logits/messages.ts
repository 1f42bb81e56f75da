import { z } from 'zod'
import { TransportError, type TransportFault } from '../../prada/remotes/index.ts'
import { MalformedError } from '../../protocol/index.ts'

/**
 * One request a stream: an operation and what it needs; one answer: 0 and its result, or 1 and why there is none. The result
 * of `verify` goes on in further frames, each with what the server tells next.
 */
export const LOGITS_PROTOCOL = '/loam/logits/1'

/** Longest request, bytes: an operation and a request of the logits wire. */
export const LOGITS_REQUEST_BYTES_MAX = 256 * 1_024 + 1
/** Longest answer, bytes: a vocabulary, or some whole rows of a large one. */
export const LOGITS_ANSWER_BYTES_MAX = 16 * 2 ** 20
/** Longest wait for an answer, milliseconds. */
export const LOGITS_TIMEOUT_MS = 60_000
/** Requests that a member may have under way. */
export const LOGITS_CONCURRENCY = 8

const OPERATIONS = ['describe', 'vocabulary', 'open', 'verify', 'close'] as const
export type LogitsOperation = (typeof OPERATIONS)[number]

export function encodeRequest(
  operation: LogitsOperation,
  payload: Uint8Array = new Uint8Array(0)
): Uint8Array {
  return Buffer.concat([Buffer.of(OPERATIONS.indexOf(operation)), payload])
}

/** @throws {MalformedError} */
export function decodeRequest(bytes: Uint8Array): {
  readonly operation: LogitsOperation
  readonly payload: Uint8Array
} {
  const operation = OPERATIONS[bytes[0] ?? OPERATIONS.length]
  if (operation === undefined) throw new MalformedError(`operation ${bytes[0]} of ${LOGITS_PROTOCOL}`)
  return { operation, payload: bytes.subarray(1) }
}

const failureSchema = z.object({
  fault: z.enum(['unreachable', 'busy', 'unknown-session', 'refused', 'garbage']),
  message: z.string().max(2_000),
  retryAfterMs: z.number().min(0).optional()
})

export function encodeAnswer(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(0), payload])
}

export function encodeFailure(fault: TransportFault, message: string, retryAfterMs?: number): Uint8Array {
  const failure = { fault, message: message.slice(0, 500), retryAfterMs }
  return Buffer.concat([Buffer.of(1), Buffer.from(JSON.stringify(failure))])
}

/**
 * The result in an answer.
 *
 * @throws {TransportError} what the server says, or `garbage`
 */
export function decodeAnswer(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === 0) return bytes.subarray(1)
  const parsed = bytes[0] === 1 ? failureSchema.safeParse(jsonOf(bytes.subarray(1))) : undefined
  if (parsed?.success !== true)
    throw new TransportError('garbage', `the answer is not one of ${LOGITS_PROTOCOL}`)
  const { fault, message, retryAfterMs } = parsed.data
  throw new TransportError(fault, message, { ...(retryAfterMs !== undefined && { retryAfterMs }) })
}

/** Parses JSON; undefined where the bytes are not JSON. */
export function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}
