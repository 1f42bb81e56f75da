/** One batch of next-token prediction, as the engine is fed. All arrays are row-major [batch, sequence]. */
export interface TrainingBatch {
  readonly batchSize: number
  /** Tokens per row. */
  readonly sequenceLength: number
  readonly inputIds: Int32Array
  /** The token that follows each input token; any id where its weight is 0. */
  readonly targetIds: Int32Array
  /** 1 where the target is scored, 0 where it is padding or lies across a document's border. */
  readonly targetWeights: Float32Array
  /** Number of each token's document in its row, where documents are kept apart; padding has one of its own. */
  readonly segments?: Float32Array
}
