import type { Vocabulary } from '../core/index.ts'
import type { RemoteCapabilities, Traffic } from './remote.ts'

/** A logits server's description of itself. */
export interface ServerDescription {
  readonly name: string
  /** Digest of the model's configuration and weights, 64 hex digits. */
  readonly digest: string
  readonly capabilities: RemoteCapabilities
}

/** Carries requests in the wire format to a logits server, and its answers back. */
export interface LogitsTransport {
  /** Address of the server, for messages. */
  readonly address: string
  describe(signal: AbortSignal): Promise<ServerDescription>
  vocabulary(signal: AbortSignal): Promise<Vocabulary>
  /** @returns the session id, [SESSION_BYTES] */
  open(vocabularySize: number, signal: AbortSignal): Promise<Uint8Array>
  /**
   * The answer's bytes as they arrive. Leaving the loop early means that the rest is not needed.
   *
   * @param bytesMax maximum size of a valid answer
   */
  verify(request: Uint8Array, bytesMax: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void>
  close(session: Uint8Array, signal: AbortSignal): Promise<void>
  /** Bytes of everything that was sent and received, headers included. */
  readonly traffic: Traffic
}

/**
 * Why a server did not answer: `unreachable`, `busy` (temporary), `unknown-session`, `refused`, or `garbage` (an
 * invalid answer).
 */
export type TransportFault = 'unreachable' | 'busy' | 'unknown-session' | 'refused' | 'garbage'

export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly fault: TransportFault
  /** Delay before a retry, milliseconds. */
  readonly retryAfterMs: number | undefined
  /** HTTP status, if any. */
  readonly status: number | undefined

  constructor(
    fault: TransportFault,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number; status?: number } = {}
  ) {
    super(message, options)
    this.fault = fault
    this.retryAfterMs = options.retryAfterMs
    this.status = options.status
  }
}
