/** One text of a model that goes on; `DecodedText` is one. */
export interface TokenText {
  /** Tokens so far. */
  readonly length: number
  /**
   * Appends tokens.
   *
   * @returns the logits behind each of the last `count` of them, [count][at least vocabularySize]
   */
  appendRows(ids: readonly number[], count: number): Promise<Float32Array[]>
  /** Goes back to the first `length` tokens. */
  truncate(length: number): void
}

/**
 * A model that gives logits, whatever computes them. For speculation to be exact, the same prefix must always have the
 * same logits, in whatever parts it was appended; a model for which that holds only about has a `batchError`.
 */
export interface TokenModel {
  /** Longest text, tokens. */
  readonly context: number
  /** Number of logits of a row. */
  readonly vocabularySize: number
  /** Largest difference of a log-probability that other parts make, nats, measured; absent where there is none. */
  readonly batchError?: number
  start(): TokenText
  dispose(): Promise<void>
}
