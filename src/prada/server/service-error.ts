/**
 * Why a request is not served: `malformed` and `too-large` are the client's fault, `unknown-session` asks it to start a
 * new session, `refused` is permanent, `busy` and `full` are temporary.
 */
export type ServiceFault = 'malformed' | 'too-large' | 'unknown-session' | 'refused' | 'busy' | 'full'

export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly fault: ServiceFault
  /** Delay before a retry in milliseconds, if a retry may succeed. */
  readonly retryAfterMs: number | undefined

  constructor(fault: ServiceFault, message: string, retryAfterMs?: number) {
    super(message)
    this.fault = fault
    this.retryAfterMs = retryAfterMs
  }
}
