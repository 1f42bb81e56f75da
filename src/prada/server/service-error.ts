/**
 * Why a request is not served: `malformed` and `too-large` are the client's fault, `unknown-session` asks it to begin
 * anew, `refused` will be refused again, `busy` and `full` pass.
 */
export type ServiceFault = 'malformed' | 'too-large' | 'unknown-session' | 'refused' | 'busy' | 'full'

export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly fault: ServiceFault
  /** When to try again, milliseconds; where trying again may help. */
  readonly retryAfterMs: number | undefined

  constructor(fault: ServiceFault, message: string, retryAfterMs?: number) {
    super(message)
    this.fault = fault
    this.retryAfterMs = retryAfterMs
  }
}
