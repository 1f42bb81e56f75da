import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import { createOnnxRuntimeExecutor, type Executor } from '../executor/index.ts'
import { oneAtATime } from '../executor/one-at-a-time.ts'
import type { ModelConfig } from '../families/index.ts'
import { checkWeights } from '../weights/check-weights.ts'
import { requireFiniteScores } from './finite-scores.ts'
import { parameterFeeds } from './parameter-feeds.ts'
import { createSequenceScorer } from './sequence-scorer.ts'

/** Windows scored in one run. */
const WINDOWS_A_RUN = 4

/** Options of an evaluator. */
export interface EvaluatorOptions {
  readonly config: ModelConfig
  /** Tokens per window, at least 2. */
  readonly context: number
  readonly threads?: number
  readonly executor?: Executor
}

/** A text to score, as token ids. */
export interface ScoreOptions {
  readonly weights: TensorMap
  /** Merged into the weights, in float32, before scoring. */
  readonly adapter?: LoraAdapter
  /** Whether the adapter's scale is alpha / √rank; false if absent. */
  readonly rsLora?: boolean
  readonly ids: ArrayLike<number>
  /** Stops between two runs of the graph. */
  readonly signal?: AbortSignal
}

/** A token and its log-probability. */
export interface TokenScore {
  readonly id: number
  /** Natural logarithm of the probability given the window so far; null for a window's first token. */
  readonly logProb: number | null
}

/** How well a model predicts a text. */
export interface Score {
  /** Mean negative log-probability of the scored tokens, nats; NaN if none is scored. */
  readonly nats: number
  /** Number of scored tokens. */
  readonly tokens: number
  readonly perToken: readonly TokenScore[]
}

/** Scores texts under one architecture, with any weights. */
export interface Evaluator {
  /**
   * Cuts `ids` into windows of `context` tokens that do not overlap, and scores each token except the first of each
   * window.
   *
   * @throws {Error} when an id is outside the vocabulary, weights or adapter do not match, or a log-probability is not
   * finite
   * @throws the signal's reason, when it aborts
   */
  score(options: ScoreOptions): Promise<Score>
  dispose(): Promise<void>
}

/**
 * Builds and compiles the scoring graph once.
 *
 * @throws {Error} when the context is shorter than 2 tokens, or longer than the model allows
 */
export async function createEvaluator(options: EvaluatorOptions): Promise<Evaluator> {
  const { config, context } = options
  if (!Number.isInteger(context) || context < 2)
    throw new Error(`context must be an integer of at least 2 tokens, got ${context}`)
  const executor = options.executor ?? createOnnxRuntimeExecutor({ threads: options.threads ?? 1 })
  const scorer = createSequenceScorer({ config, executor, rows: WINDOWS_A_RUN, length: context - 1 })
  await scorer.prepare(context - 1)

  const score = async ({ weights, adapter, rsLora, ids, signal }: ScoreOptions): Promise<Score> => {
    checkWeights(config, weights, 'the weights')
    const feeds = parameterFeeds(weights, adapter, rsLora)
    const all = Array.from(ids)
    const windows: number[][] = []
    for (let start = 0; start < all.length; start += context) windows.push(all.slice(start, start + context))
    const scores = await scorer.score(windows, feeds, () => signal?.throwIfAborted())
    requireFiniteScores(scores, (window) => `the window from token ${window * context + 1} on`)
    const perToken: TokenScore[] = []
    let sum = 0
    for (const [window, ids] of windows.entries())
      for (const [index, id] of ids.entries()) {
        const logProb = index === 0 ? null : scores[window]![index - 1]!
        perToken.push({ id, logProb })
        sum -= logProb ?? 0
      }
    const tokens = all.length - windows.length
    return { nats: sum / tokens, tokens, perToken }
  }
  return { score: oneAtATime(score), dispose: () => scorer.dispose() }
}
