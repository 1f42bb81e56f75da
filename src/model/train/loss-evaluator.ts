import type { LoraAdapter } from '../../adapter/lora-adapter.ts'
import type { TensorMap } from '../../adapter/tensor.ts'
import type { ExampleStream } from '../../data/example-stream.ts'
import { applyAdapter } from '../apply-adapter.ts'
import { createOnnxRuntimeExecutor, type Executor, type FeedValue } from '../executor/index.ts'
import type { ModelConfig } from '../family/index.ts'
import { logProbabilityGraph } from '../inference-graph.ts'
import { RESTARTS, restartedPositions, SEGMENTS } from './isolated-documents.ts'

/** What a loss evaluator is compiled for. */
export interface LossEvaluatorOptions {
  readonly config: ModelConfig
  readonly batchSize: number
  readonly sequenceLength: number
  /** Whether a token sees its own packed document only. */
  readonly isolateDocuments?: boolean
  readonly threads?: number
  readonly executor?: Executor
}

/** Measures the loss that training lowers, on examples that it does not see. */
export interface LossEvaluator {
  /** Mean cross-entropy of all targets of one epoch of `stream`, each once, in nats. */
  loss(stream: ExampleStream, weights: TensorMap, adapter?: LoraAdapter): Promise<number>
  dispose(): Promise<void>
}

/** Builds and compiles the forward pass once. */
export async function createLossEvaluator(options: LossEvaluatorOptions): Promise<LossEvaluator> {
  const { config, batchSize, sequenceLength, isolateDocuments = false } = options
  const executor = options.executor ?? createOnnxRuntimeExecutor({ threads: options.threads ?? 1 })
  const graph = logProbabilityGraph(config, batchSize, sequenceLength, { isolateDocuments })
  const compiled = await executor.compile(graph)
  return {
    async loss(stream, weights, adapter) {
      const applied = adapter ? applyAdapter(weights, adapter) : weights
      const feeds = new Map<string, FeedValue>([...applied].map(([name, { data }]) => [name, data]))
      let sum = 0
      let count = 0
      for (let index = 0; index * batchSize < stream.rows; index++) {
        const batch = stream.nextBatch(index)
        feeds.set('inputIds', batch.inputIds).set('targetIds', batch.targetIds)
        if (isolateDocuments) {
          const segments = batch.segments ?? new Float32Array(batch.inputIds.length)
          feeds.set(SEGMENTS, segments).set(RESTARTS, restartedPositions(segments, sequenceLength))
        }
        const logProbabilities = (await compiled.run(feeds)).get('logProbabilities')!
        // The last batch goes on into the next epoch: those rows have been counted.
        const rows = Math.min(batchSize, stream.rows - index * batchSize)
        for (let place = 0; place < rows * sequenceLength; place++) {
          const weight = batch.targetWeights[place]!
          if (weight === 0) continue
          sum -= weight * logProbabilities[place]!
          count += weight
        }
      }
      return sum / count
    },
    dispose: () => compiled.dispose()
  }
}
