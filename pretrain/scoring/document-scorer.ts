import type { TensorMap } from '../../src/formats/tensor.ts'
import { parameterFeeds } from '../../src/model/evaluate/parameter-feeds.ts'
import { createSequenceScorer, overlappingWindows } from '../../src/model/evaluate/sequence-scorer.ts'
import { createOnnxRuntimeExecutor, type ModelConfig } from '../../src/model/index.ts'
import type { TokenSequences } from '../corpus/token-files.ts'

/** Rows per run: enough to keep the processor busy. */
const ROWS = 8

/** Scores documents under a model's weights, with one compiled graph for all weights of that shape. */
export interface DocumentScorer {
  /** Mean negative log-probability of all tokens except each sequence's first, nats per token. */
  score(
    weights: TensorMap,
    sequences: TokenSequences
  ): Promise<{ readonly nats: number; readonly tokens: number }>
  dispose(): Promise<void>
}

/**
 * Creates a scorer whose windows are as long as the model's context. Unlike the evaluator of `src/model/`, which skips
 * the first token of every window, it scores exactly the tokens that the count models score.
 */
export async function createDocumentScorer(config: ModelConfig, threads: number): Promise<DocumentScorer> {
  const executor = createOnnxRuntimeExecutor({ threads })
  const scorer = createSequenceScorer({ config, executor, rows: ROWS, length: config.maxPositions })
  return {
    score: async (weights, sequences) => {
      const windows = sequences.flatMap((sequence) => overlappingWindows(sequence, config.maxPositions))
      const scores = await scorer.score(windows, parameterFeeds(weights))
      let [sum, tokens] = [0, 0]
      for (const window of scores) {
        for (const logProbability of window) sum -= logProbability
        tokens += window.length
      }
      return { nats: sum / tokens, tokens }
    },
    dispose: () => scorer.dispose()
  }
}
