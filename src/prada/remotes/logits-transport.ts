import type { Vocabulary } from '../core/index.ts'
import type { RemoteCapabilities, Traffic } from './remote.ts'

/** What a logits server says of itself. */
export interface ServerDescription {
  readonly name: string
  /** Of the model's configuration and weights, 64 hex digits. */
  readonly digest: string
  readonly capabilities: RemoteCapabilities
}

/** How requests of the wire's kind reach a logits server, and its answers come back. */
export interface LogitsTransport {
  /** Where the server is, for messages. */
  readonly address: string
  describe(signal: AbortSignal): Promise<ServerDescription>
  vocabulary(signal: AbortSignal): Promise<Vocabulary>
  /** @returns the session's name, [SESSION_BYTES] */
  open(vocabularySize: number, signal: AbortSignal): Promise<Uint8Array>
  /**
   * The answer's bytes as they come. Ending the loop early says that the rest is not wanted.
   *
   * @param bytesMax what is longer is no answer
   */
  verify(request: Uint8Array, bytesMax: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void>
  close(session: Uint8Array, signal: AbortSignal): Promise<void>
  /** Bytes of everything that was sent and received, headers included. */
  readonly traffic: Traffic
}

/**
 * Why a server did not answer: `unreachable`, `busy` (it passes), `unknown-session`, `refused`, or `garbage` (what came is
 * none of its answers).
 */
export type TransportFault = 'unreachable' | 'busy' | 'unknown-session' | 'refused' | 'garbage'

export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly fault: TransportFault
  /** When to try again, milliseconds. */
  readonly retryAfterMs: number | undefined
  /** Status of the answer, where it came over HTTP. */
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
