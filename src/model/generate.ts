import type { TensorMap } from '../adapter/tensor.ts'
import { checkWeights } from './base-model.ts'
import { createOnnxRuntimeExecutor, type Executor, type FeedValue } from './executor/index.ts'
import { nextTokenGraph } from './inference-graph.ts'
import type { LlamaConfig } from './llama/index.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { type SamplingSettings, sampleToken } from './sampling.ts'
import { createSeededRandom } from './seeded-random.ts'

/** What a generator is compiled for. */
export interface GeneratorOptions {
  readonly config: LlamaConfig
  /** Tokens that the model looks back on; a longer text loses its beginning. */
  readonly window: number
  readonly threads?: number
  readonly executor?: Executor
}

/** One text to continue. */
export interface GenerateOptions extends SamplingSettings {
  readonly weights: TensorMap
  /** The beginning, at least one token (a tokenizer's BOS will do). */
  readonly ids: readonly number[]
  /** Most tokens to add. */
  readonly maxTokens: number
  /** 0 where it is absent. */
  readonly seed?: number
  /** Tokens that end the text; they are not returned. */
  readonly stopIds?: readonly number[]
  /** Stops between two tokens. */
  readonly signal?: AbortSignal
}

/** Continues texts. Every token costs a full pass over the window: for samples, not for serving. */
export interface Generator {
  /** The tokens that follow `ids`. Equal arguments give equal tokens on one machine. */
  generate(options: GenerateOptions): Promise<number[]>
  dispose(): Promise<void>
}

/** Builds and compiles the next-token graph once. */
export async function createGenerator(options: GeneratorOptions): Promise<Generator> {
  const { config, window } = options
  if (!Number.isInteger(window) || window < 1) throw new Error(`a window of ${window} tokens cannot be`)
  const executor = options.executor ?? createOnnxRuntimeExecutor({ threads: options.threads ?? 1 })
  const compiled = await executor.compile(nextTokenGraph(config, window))
  const inputIds = new Int32Array(window)
  const last = new Int32Array(1)

  const generate = async (run: GenerateOptions): Promise<number[]> => {
    checkWeights(config, run.weights, 'the weights')
    const outside = run.ids.find((id) => !Number.isInteger(id) || id < 0 || id >= config.vocabularySize)
    if (outside !== undefined)
      throw new Error(`token id ${outside} lies outside the vocabulary of ${config.vocabularySize}`)
    if (run.ids.length === 0) throw new Error('generation needs at least one token to start from')
    const random = createSeededRandom(run.seed ?? 0)
    const feeds = new Map<string, FeedValue>([...run.weights].map(([name, { data }]) => [name, data]))
    feeds.set('inputIds', inputIds).set('last', last)
    const text = [...run.ids]
    while (text.length - run.ids.length < run.maxTokens) {
      run.signal?.throwIfAborted()
      const seen = text.slice(-window)
      inputIds.fill(0)
      inputIds.set(seen)
      last[0] = seen.length - 1
      const id = sampleToken((await compiled.run(feeds)).get('logits')!, run, random)
      if (run.stopIds?.includes(id)) break
      text.push(id)
    }
    return text.slice(run.ids.length)
  }
  return { generate: oneAtATime(generate), dispose: () => compiled.dispose() }
}
