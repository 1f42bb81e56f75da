/** Malformed bytes of the logits protocol. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

/** A message that is not whole yet. */
export class IncompleteError extends WireError {
  /** Bytes that it has at least. */
  readonly needed: number

  constructor(needed: number) {
    super('the message ends too early')
    this.needed = needed
  }
}
