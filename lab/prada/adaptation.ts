import { availableParallelism } from 'node:os'
import { mergeAdapter, type StackMember, stackAdapters } from '../../src/adapter/index.ts'
import { combineSeeds } from '../../src/data/index.ts'
import type { TensorMap } from '../../src/formats/index.ts'
import { applyAdapter, type BaseModel, expandTargetModules } from '../../src/model/index.ts'
import type { TokenizedDomain } from '../experiments/corpus.ts'
import { withModules } from '../experiments/federated-run.ts'
import { createLocalTrainer } from '../experiments/local-training.ts'
import { createMembers, pooledBatches } from '../experiments/members.ts'
import { freshAdapter } from '../experiments/methods.ts'
import type { ExperimentSettings } from '../experiments/settings.ts'

/** Number of steps between progress reports of central training. */
const REPORT_STEPS = 40
const THREADS = Math.min(2, availableParallelism())

/** How a model is adapted, with or without a network. */
export interface AdaptationPlan {
  readonly settings: ExperimentSettings
  readonly rank: number
  readonly rounds: number
  readonly seed: number
}

/**
 * The weights that a consortium ends with. Each member trains on its own domain, and every round's clipped stack is
 * merged into the base, as peers with a new charter do. Deterministic on one machine.
 *
 * @param onStep called after every member's training in a round
 * @throws {Error} if training diverges, or a stack or merge is not finite
 */
export async function adaptTogether(
  base: BaseModel,
  domains: readonly TokenizedDomain[],
  { settings, rank, rounds, seed }: AdaptationPlan,
  onStep: (done: string) => void
): Promise<TensorMap> {
  const members = createMembers(base, domains, 'domain', seed, settings)
  const names = expandTargetModules(base.config, settings.targetModules)
  let modules: TensorMap = new Map(names.map((name) => [name, base.weights.get(`${name}.weight`)!]))
  const trainer = createLocalTrainer(base, settings, THREADS)
  try {
    for (let round = 0; round < rounds; round++) {
      const cut: StackMember[] = []
      for (const { index, author, samples, batches } of members) {
        const start = freshAdapter(base, settings, rank, combineSeeds(combineSeeds(seed, round), index))
        const session = trainer.begin(withModules(base.weights, modules), start)
        await session.advance(settings.stepsPerRound, (step) =>
          batches.nextBatch(round * settings.stepsPerRound + step)
        )
        cut.push({ author, samples, adapter: session.adapter })
        onStep(`round ${round + 1}/${rounds}, member ${index + 1}/${members.length}`)
      }
      const stack = stackAdapters(cut, { clip: 'median' })
      const merged = stack.finite ? mergeAdapter(modules, stack.adapter) : undefined
      if (merged?.finite !== true) throw new Error(`round ${round + 1}: the merged model is not finite`)
      modules = merged.modules
    }
  } finally {
    await trainer.dispose()
  }
  return withModules(base.weights, modules)
}

/**
 * The weights after central LoRA training on all members' text, after each of several numbers of steps.
 *
 * @param steps ascending
 * @param onStep called at intervals
 * @returns weights, in the order of `steps`
 * @throws {Error} if training diverges
 */
export async function adaptCentrally(
  base: BaseModel,
  domains: readonly TokenizedDomain[],
  { settings, rank, seed }: Omit<AdaptationPlan, 'rounds'>,
  steps: readonly number[],
  onStep: (done: string) => void
): Promise<TensorMap[]> {
  const batches = pooledBatches(base, domains, seed, settings)
  const trainer = createLocalTrainer(base, settings, THREADS)
  const weights: TensorMap[] = []
  try {
    const session = trainer.begin(base.weights, freshAdapter(base, settings, rank, seed))
    let done = 0
    for (const end of steps) {
      while (done < end) {
        const part = Math.min(REPORT_STEPS, end - done)
        await session.advance(part, (step) => batches.nextBatch(done + step))
        done += part
        onStep(`step ${done} of ${steps.at(-1)}`)
      }
      weights.push(applyAdapter(base.weights, session.adapter))
    }
    return weights
  } finally {
    await trainer.dispose()
  }
}
