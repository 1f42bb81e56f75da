/** Malformed bytes of the logits protocol. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

/** A message that is still incomplete. */
export class IncompleteError extends WireError {
  /** Minimum number of bytes of the message. */
  readonly needed: number

  constructor(needed: number) {
    super('truncated message')
    this.needed = needed
  }
}
