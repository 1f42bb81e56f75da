import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import { createOnnxRuntimeExecutor, type Executor, type FeedValue } from '../executor/index.ts'
import { oneAtATime } from '../executor/one-at-a-time.ts'
import type { ModelConfig } from '../families/index.ts'
import { checkWeights } from '../weights/base-model.ts'
import { applyAdapter } from './apply-adapter.ts'
import { logProbabilityGraph } from './inference-graph.ts'

/** Windows scored in one run. */
const WINDOWS_A_RUN = 4

/** What an evaluator is compiled for. */
export interface EvaluatorOptions {
  readonly config: ModelConfig
  /** Tokens a window, at least 2. */
  readonly context: number
  readonly threads?: number
  readonly executor?: Executor
}

/** A text to score, as token ids. */
export interface ScoreOptions {
  readonly weights: TensorMap
  /** Merged into the weights, in float32, before scoring. */
  readonly adapter?: LoraAdapter
  /** Whether the adapter's scale is alpha / √rank; not where it is absent. */
  readonly rsLora?: boolean
  readonly ids: ArrayLike<number>
  /** Stops between two runs of the graph. */
  readonly signal?: AbortSignal
}

/** One token and what the model gave it. */
export interface TokenScore {
  readonly id: number
  /** Natural logarithm of the probability given the window so far; null for a window's first token. */
  readonly logProb: number | null
}

/** How well a model foresees a text. */
export interface Score {
  /** Mean negative log-probability of the scored tokens, nats; NaN where none is scored. */
  readonly nats: number
  /** Scored tokens. */
  readonly tokens: number
  readonly perToken: readonly TokenScore[]
}

/** Scores texts under one architecture, with whatever weights. */
export interface Evaluator {
  /**
   * Cuts `ids` into windows of `context` tokens that do not overlap, and scores each token but a window's first.
   *
   * @throws {Error} when an id lies outside the vocabulary, or weights or adapter do not fit
   * @throws the signal's reason, when it aborts
   */
  score(options: ScoreOptions): Promise<Score>
  dispose(): Promise<void>
}

/** Builds and compiles the scoring graph once. */
export async function createEvaluator(options: EvaluatorOptions): Promise<Evaluator> {
  const { config, context } = options
  if (!Number.isInteger(context) || context < 2)
    throw new Error(`a context of ${context} tokens scores nothing`)
  const executor = options.executor ?? createOnnxRuntimeExecutor({ threads: options.threads ?? 1 })
  const length = context - 1
  const compiled = await executor.compile(logProbabilityGraph(config, WINDOWS_A_RUN, length))
  const inputIds = new Int32Array(WINDOWS_A_RUN * length)
  const targetIds = new Int32Array(WINDOWS_A_RUN * length)

  const score = async ({ weights, adapter, rsLora, ids, signal }: ScoreOptions): Promise<Score> => {
    checkWeights(config, weights, 'the weights')
    const applied = adapter ? applyAdapter(weights, adapter, rsLora) : weights
    const feeds = new Map<string, FeedValue>([...applied].map(([name, { data }]) => [name, data]))
    feeds.set('inputIds', inputIds).set('targetIds', targetIds)
    const perToken: TokenScore[] = []
    let sum = 0
    for (let start = 0; start < ids.length; start += WINDOWS_A_RUN * context) {
      signal?.throwIfAborted()
      const tokens = Array.from(
        { length: Math.min(WINDOWS_A_RUN * context, ids.length - start) },
        (_, index) => checkId(ids[start + index]!, config)
      )
      inputIds.fill(0)
      targetIds.fill(0)
      for (const [index, id] of tokens.entries()) {
        const slot = slotOf(index, context)
        if (index % context > 0) targetIds[slot] = id
        if (index % context < length) inputIds[slot + 1] = id
      }
      const logProbabilities = (await compiled.run(feeds)).get('logProbabilities')!
      for (const [index, id] of tokens.entries()) {
        const logProb = index % context === 0 ? null : logProbabilities[slotOf(index, context)]!
        perToken.push({ id, logProb })
        sum -= logProb ?? 0
      }
    }
    const tokens = perToken.reduce((count, { logProb }) => count + (logProb === null ? 0 : 1), 0)
    return { nats: sum / tokens, tokens, perToken }
  }
  return { score: oneAtATime(score), dispose: () => compiled.dispose() }
}

/** Where the target of the token at `index` lies in the [window, context − 1] arrays; −1 of its row for a first token. */
function slotOf(index: number, context: number): number {
  return Math.floor(index / context) * (context - 1) + (index % context) - 1
}

function checkId(id: number, { vocabularySize }: ModelConfig): number {
  if (Number.isInteger(id) && id >= 0 && id < vocabularySize) return id
  throw new Error(`token id ${id} lies outside the vocabulary of ${vocabularySize}`)
}
