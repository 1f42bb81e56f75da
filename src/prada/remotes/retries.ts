import { setTimeout as delay } from 'node:timers/promises'
import { WireError } from '../wire/index.ts'
import { TransportError } from './logits-transport.ts'
import { RemoteError, type RemoteFault } from './remote.ts'

/** Timeout and retry limits for a remote. */
export interface RetryOptions {
  /** Timeout of one answer, milliseconds. */
  readonly timeoutMs?: number
  /** Maximum number of attempts per trip. */
  readonly attempts?: number
  /** Maximum pause before a retry, even if the server asks for more, milliseconds. */
  readonly pauseMaxMs?: number
}

export type Retries = Required<RetryOptions>

export const DEFAULT_RETRIES: Retries = { timeoutMs: 60_000, attempts: 4, pauseMaxMs: 10_000 }

/** Default pause if the server gives no retry delay, milliseconds. */
const PAUSE_MS = 250

/**
 * Retries until there is an answer, a permanent failure, or no attempt left.
 *
 * @param address of the remote, for messages
 * @throws {RemoteError}
 */
export async function withRetries<Value>(
  address: string,
  retries: Retries,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Value>
): Promise<Value> {
  for (let tries = 1; ; tries++) {
    try {
      return await work(AbortSignal.any([signal, AbortSignal.timeout(retries.timeoutMs)]))
    } catch (error) {
      signal.throwIfAborted()
      await pauseOrThrow(address, retries, tries, error, signal)
    }
  }
}

/**
 * Waits before the next attempt.
 *
 * @param tries attempts so far
 * @throws {RemoteError} if there is no further attempt
 */
export async function pauseOrThrow(
  address: string,
  retries: Retries,
  tries: number,
  error: unknown,
  signal: AbortSignal
): Promise<void> {
  if (tries >= retries.attempts || !isPassing(error)) throw asRemoteError(address, retries, error)
  if (error.fault === 'unknown-session') return
  await delay(Math.min(error.retryAfterMs ?? PAUSE_MS, retries.pauseMaxMs), undefined, { signal })
}

function isPassing(error: unknown): error is TransportError {
  return error instanceof TransportError && ['unreachable', 'busy', 'unknown-session'].includes(error.fault)
}

/** Converts a transport error for the user of a remote. Other errors are thrown unchanged. */
function asRemoteError(address: string, { timeoutMs, attempts }: Retries, cause: unknown): RemoteError {
  if (cause instanceof RemoteError) return cause
  if (cause instanceof WireError)
    return new RemoteError('garbage', `${address} returned an invalid answer: ${cause.message}`, {
      cause
    })
  if ((cause as Error).name === 'TimeoutError')
    return new RemoteError('unreachable', `${address} did not answer within ${timeoutMs / 1_000} s`, {
      cause
    })
  if (!(cause instanceof TransportError)) throw cause
  const fault: RemoteFault = cause.fault === 'unknown-session' ? 'refused' : cause.fault
  const tried = isPassing(cause) ? ` (${attempts} attempts)` : ''
  return new RemoteError(fault, `${address}: ${cause.message}${tried}`, { cause })
}
