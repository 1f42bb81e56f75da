import type { TrainingBatch } from '../../data/packing/training-batch.ts'
import type { Executor, FeedValue } from '../executor/index.ts'
import type { ModelConfig } from '../families/index.ts'
import { isolationFeeds } from '../families/shared/isolated-documents.ts'
import { type LogProbabilityOptions, logProbabilityGraph } from './log-probability-graph.ts'

/** Options of a target scorer. */
export interface TargetScorerOptions extends LogProbabilityOptions {
  readonly config: ModelConfig
  readonly executor: Executor
  /** Rows per run. */
  readonly rows: number
  /** Tokens per row. */
  readonly length: number
}

/** Runs a model forward and returns the log-probability of each target. All scoring of text goes through it. */
export interface TargetScorer {
  /**
   * Log-probability of every target, nats, [rows · length].
   *
   * @param parameters the graph's feeds besides the tokens
   */
  run(
    batch: Pick<TrainingBatch, 'inputIds' | 'targetIds' | 'segments'>,
    parameters: ReadonlyMap<string, FeedValue>
  ): Promise<Float32Array>
  dispose(): Promise<void>
}

/** Builds and compiles the forward pass. */
export async function createTargetScorer(options: TargetScorerOptions): Promise<TargetScorer> {
  const { config, executor, rows, length, ...graph } = options
  const compiled = await executor.compile(logProbabilityGraph(config, rows, length, graph))
  return {
    async run(batch, parameters) {
      const feeds = new Map(parameters)
      feeds.set('inputIds', batch.inputIds).set('targetIds', batch.targetIds)
      if (graph.isolateDocuments)
        for (const [name, data] of isolationFeeds(batch.segments, rows, length)) feeds.set(name, data)
      return (await compiled.run(feeds)).get('logProbabilities')!
    },
    dispose: () => compiled.dispose()
  }
}
