import type { TensorMap } from '../src/formats/tensor.ts'
import { logProbabilityGraph } from '../src/model/evaluate/inference-graph.ts'
import { createOnnxRuntimeExecutor, type FeedValue, type ModelConfig } from '../src/model/index.ts'
import type { TokenSequences } from './kneser-ney.ts'
import { scoringBatches } from './scoring-batches.ts'

/** Rows a run: enough to keep the processor busy. */
const ROWS = 8

/** Scores documents by a model's weights, with one compiled graph for all weights of that shape. */
export interface DocumentScorer {
  /** Mean negative log-probability of all tokens but each sequence's first, nats per token. */
  score(
    weights: TensorMap,
    sequences: TokenSequences
  ): Promise<{ readonly nats: number; readonly tokens: number }>
  dispose(): Promise<void>
}

/**
 * A scorer whose windows are as long as the model's context. Unlike the evaluator of `src/model/`, which leaves the
 * first token of every window out, it scores exactly the tokens that the count models score.
 */
export async function createDocumentScorer(config: ModelConfig, threads: number): Promise<DocumentScorer> {
  const executor = createOnnxRuntimeExecutor({ threads })
  const compiled = await executor.compile(logProbabilityGraph(config, ROWS, config.maxPositions))
  return {
    score: async (weights, sequences) => {
      const parameters: [string, FeedValue][] = Array.from(weights, ([name, { data }]) => [name, data])
      let sum = 0
      let tokens = 0
      for (const { inputIds, targetIds, targetWeights } of scoringBatches(
        sequences,
        ROWS,
        config.maxPositions
      )) {
        const ids: [string, FeedValue][] = [
          ['inputIds', inputIds],
          ['targetIds', targetIds]
        ]
        const outputs = await compiled.run(new Map([...parameters, ...ids]))
        outputs.get('logProbabilities')!.forEach((logProbability, index) => {
          if (targetWeights[index] !== 1) return
          sum -= logProbability
          tokens++
        })
      }
      return { nats: sum / tokens, tokens }
    },
    dispose: () => compiled.dispose()
  }
}
