import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import type { ExampleStream } from '../../data/packing/example-stream.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import { createOnnxRuntimeExecutor, type Executor, type FeedValue } from '../executor/index.ts'
import { overflow } from '../executor/overflow.ts'
import type { ModelConfig } from '../families/index.ts'
import { loraFeeds, zeroFactors } from '../lora/lora-nodes.ts'
import type { LoraSettings } from '../lora/lora-settings.ts'
import type { BaseFormat } from '../weights/base-format.ts'
import { baseFeeds, type HeldWeights } from '../weights/held-weights.ts'
import { createTargetScorer } from './target-scorer.ts'

/** Options of a loss evaluator. */
export interface LossEvaluatorOptions {
  readonly config: ModelConfig
  readonly batchSize: number
  readonly sequenceLength: number
  /** Whether a token attends only to its own packed document. */
  readonly isolateDocuments?: boolean
  /** The LoRA shape of the adapters to measure; the base alone if absent. */
  readonly lora?: LoraSettings
  /** Format of the base weights in memory; `f32` if absent. */
  readonly baseFormat?: BaseFormat
  readonly threads?: number
  readonly executor?: Executor
}

/** Measures the training loss on held-out examples. */
export interface LossEvaluator {
  /**
   * Mean cross-entropy of all targets of one epoch of `stream`, each once, in nats.
   *
   * @param adapter with the modules and ranks that the evaluator was built for; the base alone if absent
   * @throws {Error} when weights or adapter do not fit, or a log-probability is not finite
   */
  loss(stream: ExampleStream, weights: TensorMap | HeldWeights, adapter?: LoraAdapter): Promise<number>
  dispose(): Promise<void>
}

/** Builds and compiles the forward pass once. */
export async function createLossEvaluator(options: LossEvaluatorOptions): Promise<LossEvaluator> {
  const { config, batchSize, sequenceLength, isolateDocuments = false, lora, baseFormat = 'f32' } = options
  const executor = options.executor ?? createOnnxRuntimeExecutor({ threads: options.threads ?? 1 })
  const scorer = await createTargetScorer({
    ...{ config, executor, isolateDocuments, baseFormat, rows: batchSize, length: sequenceLength },
    ...(lora && { lora })
  })
  const base = lora ? zeroFactors(config, lora) : new Map<string, FeedValue>()
  return {
    async loss(stream, weights, adapter) {
      if (adapter && !lora) throw new Error('the evaluator was built for the base alone')
      const factors = adapter ? loraFeeds(adapter) : base
      const parameters = new Map([...baseFeeds(config, weights, baseFormat), ...factors])
      let sum = 0
      let count = 0
      for (let index = 0; index * batchSize < stream.rows; index++) {
        const batch = stream.nextBatch(index)
        const logProbabilities = await scorer.run(batch, parameters)
        // The last batch may continue into the next epoch, whose rows have been counted already.
        const rows = Math.min(batchSize, stream.rows - index * batchSize)
        for (let place = 0; place < rows * sequenceLength; place++) {
          const weight = batch.targetWeights[place]!
          if (weight === 0) continue
          const logProbability = logProbabilities[place]!
          if (!Number.isFinite(logProbability))
            throw overflow(
              `the log-probability of a target in row ${index * batchSize + Math.floor(place / sequenceLength) + 1} is ${logProbability}`
            )
          sum -= weight * logProbability
          count += weight
        }
      }
      return sum / count
    },
    dispose: () => scorer.dispose()
  }
}
