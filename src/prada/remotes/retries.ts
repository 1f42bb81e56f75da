import { setTimeout as delay } from 'node:timers/promises'
import { WireError } from '../wire/index.ts'
import { TransportError } from './logits-transport.ts'
import { RemoteError, type RemoteFault } from './remote.ts'

/** How long and how often a remote is asked. */
export interface RetryOptions {
  /** Longest wait for one answer, milliseconds. */
  readonly timeoutMs?: number
  /** Attempts of one trip. */
  readonly attempts?: number
  /** Longest pause before another attempt, whatever the server asks for, milliseconds. */
  readonly pauseMaxMs?: number
}

export type Retries = Required<RetryOptions>

export const DEFAULT_RETRIES: Retries = { timeoutMs: 60_000, attempts: 4, pauseMaxMs: 10_000 }

/** Pause where the server does not say when to come again, milliseconds. */
const PAUSE_MS = 250

/**
 * Asks until there is an answer, a failure that will not pass, or no attempt left.
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
 * @throws {RemoteError} when there is to be none
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

/** What a remote's user is told; an error that does not come from the line is thrown unchanged. */
function asRemoteError(address: string, { timeoutMs, attempts }: Retries, cause: unknown): RemoteError {
  if (cause instanceof RemoteError) return cause
  if (cause instanceof WireError)
    return new RemoteError('garbage', `${address} answered something that is no answer: ${cause.message}`, {
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
