/** One growing text of a model; `DecodedText` implements it. */
export interface TokenText {
  /** Tokens so far. */
  readonly length: number
  /**
   * Appends tokens.
   *
   * @returns the logits after each of the last `count` of them, [count][at least vocabularySize]
   */
  appendRows(ids: readonly number[], count: number): Promise<Float32Array[]>
  /** Truncates to the first `length` tokens. */
  truncate(length: number): void
}

/**
 * A model that computes logits. For exact speculation, the same prefix must always have the same logits, in whatever
 * parts it was appended. A model for which this holds only approximately sets `batchError`.
 */
export interface TokenModel {
  /** Maximum text length, tokens. */
  readonly context: number
  /** Number of logits per row. */
  readonly vocabularySize: number
  /**
   * Largest measured difference of a log-probability when a prefix is appended in different parts, nats; absent if
   * there is none.
   */
  readonly batchError?: number
  start(): TokenText
  dispose(): Promise<void>
}
