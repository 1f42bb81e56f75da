import type { LoraAdapter, LoraPair } from '../../adapter/pair/lora-adapter.ts'
import { loraScale } from '../../adapter/stack/stack.ts'
import type { CompiledGraph, Executor, FeedValue } from '../executor/index.ts'
import { oneAtATime } from '../executor/one-at-a-time.ts'
import { linearModules, type ModelConfig } from '../families/index.ts'
import { loraNames } from '../lora/lora-nodes.ts'
import type { BaseFormat } from '../weights/base-format.ts'
import type { HeldWeights } from '../weights/held-weights.ts'
import { logProbabilityGraph } from './inference-graph.ts'

/** Longest row; shorter where the model's positions end. */
const ROW_TOKENS_MAX = 128
const ROWS_A_RUN = 4

/** What an update evaluator is made for. */
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
  /** Weights held in the evaluator's format. */
  readonly weights: HeldWeights
  /** The text, as token ids; the first one is not scored. */
  readonly ids: ArrayLike<number>
  /** Other people's factors, of any ranks; none for the weights as they are. */
  readonly update?: LoraAdapter | undefined
  /** Asked between two runs of the graph; throws to stop. */
  readonly check: () => void
}

/**
 * Measures what an update that somebody else trained does to the loss, without merging it: its factors run beside the
 * weights, which may be held in few bits and are not copied.
 */
export interface UpdateEvaluator {
  /**
   * Mean cross-entropy of the tokens in nats; NaN or infinite where the update makes it so.
   *
   * @throws {Error} when the text has no token to score, or a module is none of the evaluator's
   * @throws what `check` throws
   */
  loss(options: UpdateLossOptions): Promise<number>
  dispose(): Promise<void>
}

/** An evaluator that compiles its graph with the first measurement, and again where an update's rank is higher. */
export function createUpdateEvaluator(options: UpdateEvaluatorOptions): UpdateEvaluator {
  const { config, baseFormat, modules, rsLora, executor } = options
  const length = Math.min(ROW_TOKENS_MAX, config.maxPositions)
  const inputIds = new Int32Array(ROWS_A_RUN * length)
  const targetIds = new Int32Array(ROWS_A_RUN * length)
  let compiled: { readonly rank: number; readonly graph: CompiledGraph } | undefined

  const graphFor = async (rank: number): Promise<{ rank: number; graph: CompiledGraph }> => {
    if (compiled !== undefined && compiled.rank >= rank) return compiled
    const before = compiled
    compiled = undefined
    await before?.graph.dispose()
    // The next power of two: members' ranks differ, and each compilation costs more than the zeros.
    const room = 2 ** Math.ceil(Math.log2(rank))
    const lora = { targetModules: modules, rank: room, alpha: room }
    const graph = await executor.compile(
      logProbabilityGraph(config, ROWS_A_RUN, length, { baseFormat, lora })
    )
    compiled = { rank: room, graph }
    return compiled
  }

  const loss = async ({ weights, ids, update, check }: UpdateLossOptions): Promise<number> => {
    const targets = ids.length - 1
    if (targets < 1) throw new Error('the held-out text has no token to score')
    const { rank, graph } = await graphFor(
      Math.max(1, compiled?.rank ?? 1, ...(update?.pairs ?? []).map((pair) => pair.rank))
    )
    const feeds = new Map<string, FeedValue>([
      ...weights.feeds,
      ...paddedFactors(config, modules, update?.pairs ?? [], { rank, rsLora })
    ])
    feeds.set('inputIds', inputIds).set('targetIds', targetIds)
    let sum = 0
    for (let start = 0; start < targets; start += inputIds.length) {
      check()
      const count = Math.min(inputIds.length, targets - start)
      inputIds.fill(0)
      targetIds.fill(0)
      for (let index = 0; index < count; index++) {
        inputIds[index] = ids[start + index]!
        targetIds[index] = ids[start + index + 1]!
      }
      const logProbabilities = (await graph.run(feeds)).get('logProbabilities')!
      for (let index = 0; index < count; index++) sum -= logProbabilities[index]!
    }
    check()
    return sum / targets
  }

  return {
    loss: oneAtATime(loss),
    async dispose() {
      await compiled?.graph.dispose()
      compiled = undefined
    }
  }
}

/** Factors of every module at one rank, scale in B: what an update lacks is zero. */
function paddedFactors(
  config: ModelConfig,
  modules: readonly string[],
  pairs: readonly LoraPair[],
  { rank, rsLora }: { readonly rank: number; readonly rsLora: boolean }
): Map<string, Float32Array> {
  const linear = linearModules(config)
  const factors = new Map<string, Float32Array>()
  for (const module of modules) {
    const { inFeatures, outFeatures } = linear.get(module)!
    const names = loraNames(module)
    factors.set(names.A, new Float32Array(rank * inFeatures))
    factors.set(names.B, new Float32Array(outFeatures * rank))
  }
  for (const pair of pairs) {
    const names = loraNames(pair.module)
    const [A, B] = [factors.get(names.A), factors.get(names.B)]
    if (A === undefined || B === undefined) throw new Error(`no update may adapt ${pair.module}`)
    const scale = loraScale(pair, rsLora)
    A.set(pair.A)
    for (let row = 0; row < pair.outFeatures; row++)
      for (let column = 0; column < pair.rank; column++)
        B[row * rank + column] = scale * pair.B[row * pair.rank + column]!
  }
  return factors
}
