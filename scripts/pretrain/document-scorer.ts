import type { TensorMap } from '../../src/adapter/tensor.ts'
import { GraphBuilder, type GraphNode, reshape } from '../../src/model/graph/index.ts'
import {
  createOnnxRuntimeExecutor,
  crossEntropy,
  type FeedValue,
  headParameter,
  type LlamaConfig,
  llamaHidden,
  parameterShapes
} from '../../src/model/index.ts'
import { scoringBatches } from './scoring-batches.ts'

/** Rows a run: enough to keep the processor busy. */
const ROWS = 8

/** Scores documents by a model's weights, with one compiled graph for all weights of that shape. */
export interface DocumentScorer {
  /** Mean negative log-probability of all tokens but each sequence's first, nats per token. */
  score(
    weights: TensorMap,
    sequences: readonly (readonly number[])[]
  ): Promise<{ readonly nats: number; readonly tokens: number }>
  dispose(): Promise<void>
}

/** A scorer whose windows are as long as the model's context. */
export async function createDocumentScorer(config: LlamaConfig, threads: number): Promise<DocumentScorer> {
  const size = [ROWS, config.maxPositions]
  const flat = [ROWS * config.maxPositions]
  const builder = new GraphBuilder()
  const nodes = new Map<string, GraphNode>()
  for (const [name, shape] of parameterShapes(config)) nodes.set(name, builder.input(name, shape))
  const parameter = (name: string): GraphNode => nodes.get(name)!
  const inputIds = builder.input('inputIds', size, 'int32')
  const targetIds = reshape(builder.input('targetIds', size, 'int32'), flat)
  const targetWeights = reshape(builder.input('targetWeights', size), flat)
  const hidden = llamaHidden(config, inputIds, { parameter, lora: new Map() })
  const total = crossEntropy(hidden, parameter(headParameter(config)), targetIds, targetWeights)
  const compiled = await createOnnxRuntimeExecutor({ threads }).compile(builder.build({ total }))

  return {
    score: async (weights, sequences) => {
      const parameters: [string, FeedValue][] = Array.from(weights, ([name, { data }]) => [name, data])
      let sum = 0
      let tokens = 0
      for (const batch of scoringBatches(sequences, ROWS, config.maxPositions)) {
        const { inputIds: inputs, targetIds: targets, targetWeights: ones } = batch
        const outputs = await compiled.run(
          new Map<string, FeedValue>([
            ...parameters,
            ['inputIds', inputs],
            ['targetIds', targets],
            ['targetWeights', ones]
          ])
        )
        sum += outputs.get('total')![0]!
        tokens += ones.reduce((count, weight) => count + weight, 0)
      }
      return { nats: sum / tokens, tokens }
    },
    dispose: () => compiled.dispose()
  }
}
