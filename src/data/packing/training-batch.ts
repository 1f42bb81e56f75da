/** One batch of next-token prediction, the engine's input. All arrays are row-major [batch, sequence]. */
export interface TrainingBatch {
  readonly batchSize: number
  /** Tokens per row. */
  readonly sequenceLength: number
  readonly inputIds: Int32Array
  /** The token that follows each input token; any id where its weight is 0. */
  readonly targetIds: Int32Array
  /** 1 where the target is scored, 0 where it is padding or crosses a document boundary. */
  readonly targetWeights: Float32Array
  /** Number of each token's document within its row, if documents are isolated; padding has a separate number. */
  readonly segments?: Float32Array
}
