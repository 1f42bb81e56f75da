import type { LoraAdapter, LoraPair } from '../../adapter/pair/lora-adapter.ts'
import { loraScale } from '../../adapter/pair/lora-scale.ts'
import type { Executor, FeedValue } from '../executor/index.ts'
import { oneAtATime } from '../executor/one-at-a-time.ts'
import type { ModelConfig } from '../families/index.ts'
import { loraNames, zeroFactors } from '../lora/lora-nodes.ts'
import type { LoraSettings } from '../lora/lora-settings.ts'
import type { BaseFormat } from '../weights/base-format.ts'
import type { HeldWeights } from '../weights/held-weights.ts'
import { createSequenceScorer, overlappingWindows, type SequenceScorer } from './sequence-scorer.ts'

/** Longest row, unless the model has fewer positions. */
const ROW_TOKENS_MAX = 128
const ROWS_A_RUN = 4

/** Options of an update evaluator. */
export interface UpdateEvaluatorOptions {
  readonly config: ModelConfig
  readonly baseFormat: BaseFormat
  /** Modules that an update may adapt. */
  readonly modules: readonly string[]
  /** Whether an update's scale is alpha / √rank. */
  readonly rsLora: boolean
  readonly executor: Executor
}

/** One measurement. */
export interface UpdateLossOptions {
  /** Weights in the evaluator's format. */
  readonly weights: HeldWeights
  /** The text, as token ids; the first one is not scored. */
  readonly ids: ArrayLike<number>
  /** 1 for each id to score, 0 for the others; if absent, all but the first are scored. */
  readonly scored?: ArrayLike<number> | undefined
  /** Another member's factors, of any ranks; none to score the weights alone. */
  readonly update?: LoraAdapter | undefined
  /** Called between two runs of the graph; may throw to stop. */
  readonly check: () => void
}

/**
 * Measures what an update trained by another member does to the loss, without merging it: its factors are computed
 * beside the weights, which may be quantised and are not copied.
 */
export interface UpdateEvaluator {
  /**
   * Mean cross-entropy of the tokens in nats; NaN or infinite if the update makes it so.
   *
   * @throws {Error} when the text has no token to score, or a module is not one of the evaluator's
   * @throws what `check` throws
   */
  loss(options: UpdateLossOptions): Promise<number>
  dispose(): Promise<void>
}

/**
 * Creates an evaluator that compiles its graph with the first measurement, and again when an update has a higher rank.
 */
export function createUpdateEvaluator(options: UpdateEvaluatorOptions): UpdateEvaluator {
  const { config, baseFormat, modules, rsLora, executor } = options
  const length = Math.min(ROW_TOKENS_MAX, config.maxPositions)
  let made: { readonly lora: LoraSettings; readonly scorer: SequenceScorer } | undefined

  const scorerFor = async (rank: number): Promise<{ lora: LoraSettings; scorer: SequenceScorer }> => {
    if (made !== undefined && made.lora.rank >= rank) return made
    const before = made
    made = undefined
    await before?.scorer.dispose()
    // The next power of two: members' ranks differ, and each compilation costs more than the zeros.
    const room = 2 ** Math.ceil(Math.log2(rank))
    const lora = { targetModules: modules, rank: room, alpha: room }
    made = {
      lora,
      scorer: createSequenceScorer({ config, executor, baseFormat, lora, length, rows: ROWS_A_RUN })
    }
    return made
  }

  const loss = async ({ weights, ids, scored, update, check }: UpdateLossOptions): Promise<number> => {
    const counts = Array.from({ length: Math.max(0, ids.length - 1) }, (_, k) => scored?.[k + 1] ?? 1)
    const targets = counts.reduce((sum, count) => sum + count, 0)
    if (targets < 1) throw new Error('the held-out text has no token to score')
    const pairs = update?.pairs ?? []
    const { lora, scorer } = await scorerFor(Math.max(1, ...pairs.map(({ rank }) => rank)))
    const factors = zeroFactors(config, lora)
    for (const pair of pairs) putFactors(factors, pair, lora.rank, rsLora)
    const scores = await scorer.score(
      overlappingWindows(ids, length),
      new Map<string, FeedValue>([...weights.feeds, ...factors]),
      check
    )
    let sum = 0
    let at = 0
    for (const window of scores) for (const logProb of window) if (counts[at++] === 1) sum -= logProb
    return sum / targets
  }

  return {
    loss: oneAtATime(loss),
    async dispose() {
      await made?.scorer.dispose()
      made = undefined
    }
  }
}

/** Pads an update's factors, with the scale folded into B, with zeros to a higher rank. */
function putFactors(
  factors: ReadonlyMap<string, Float32Array>,
  pair: LoraPair,
  rank: number,
  rsLora: boolean
): void {
  const names = loraNames(pair.module)
  const [A, B] = [factors.get(names.A), factors.get(names.B)]
  if (A === undefined || B === undefined)
    throw new Error(`an update must not adapt ${pair.module}: the charter does not list it`)
  const scale = loraScale(pair, rsLora)
  A.set(pair.A)
  for (let row = 0; row < pair.outFeatures; row++)
    for (let column = 0; column < pair.rank; column++)
      B[row * rank + column] = scale * pair.B[row * pair.rank + column]!
}
