/** Why an exchange with another peer failed. */
export type NetworkErrorCode =
  /** The deadline passed. */
  | 'timeout'
  /** The caller gave up. */
  | 'aborted'
  /** The other peer broke the protocol: too long a frame, bad CBOR, wrong bytes. */
  | 'protocol'
  /** No connection, or it broke. */
  | 'unreachable'

/** A failed exchange with another peer. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
  readonly code: NetworkErrorCode

  constructor(code: NetworkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
