import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  clipAdapter,
  type LoraAdapter,
  medianNorm,
  mergeAdapter,
  type StackMember,
  stackAdapters,
  updateNorm
} from '../../src/adapter/index.ts'
import { combineSeeds } from '../../src/data/index.ts'
import { decodeSafetensors, encodeSafetensors, type TensorMap } from '../../src/formats/index.ts'
import {
  type BaseModel,
  createLoraTrainer,
  createOnnxRuntimeExecutor,
  createUpdateEvaluator,
  expandTargetModules,
  type HeldWeights,
  holdWeights,
  type LoraTrainer,
  type UpdateEvaluator
} from '../../src/model/index.ts'
import { TRAINING_DEFAULTS } from '../../src/node/config/index.ts'
import { writeFileAtomic } from '../../src/node/storage/atomic-file.ts'
import { flipLabels } from '../experiments/attacks.ts'
import { withModules } from '../experiments/federated-run.ts'
import { agreement } from './agreement.ts'
import type { Federation } from './federations.ts'

/** The kinds of updates sent; only honest ones are stacked. */
export const SENT = ['honest', 'label-flipped', 'sign-flipped', 'targeted'] as const
export type Sent = (typeof SENT)[number]

/** Multiples of the full weight, at which the curvature of the loss shows more than its slope. */
export const AMPLIFICATIONS = [2, 4, 8]

/** One update on one member's text. */
export interface Measurement {
  readonly round: number
  readonly sent: Sent
  readonly author: number
  readonly judge: number
  /** By how much the update raises the loss, nats per token: clipped and at full weight, as rule 2 measures it. */
  readonly harm: number
  /** The same at its share of the stack. */
  readonly share: number
  /** The same at {@link AMPLIFICATIONS} times its full weight; empty where that was not asked for. */
  readonly amplified: readonly number[]
  /** Cosine of the clipped update with the sum of what the other members sent. */
  readonly agreement: number
}

/** The starting point of a round. */
interface Start {
  readonly round: number
  readonly modules: TensorMap
  /** Medians of the last cut, by module. */
  readonly norms: Readonly<Record<string, number>>
}

/** Runs a federation of honest members, and measures their updates and those that attackers would send. */
export class MarginRounds {
  readonly #base: BaseModel
  readonly #federation: Federation
  readonly #folder: string
  readonly #amplifications: readonly number[]
  readonly #names: readonly string[]
  readonly #evaluator: UpdateEvaluator
  readonly #trainers = new Map<number, Promise<LoraTrainer>>()

  /** @param isAmplified whether updates are measured at more than their full weight, too */
  constructor(base: BaseModel, federation: Federation, folder: string, isAmplified: boolean) {
    this.#base = base
    this.#federation = federation
    this.#folder = folder
    this.#amplifications = isAmplified ? AMPLIFICATIONS : []
    this.#names = expandTargetModules(base.config, federation.training.targetModules)
    this.#evaluator = createUpdateEvaluator({
      config: base.config,
      baseFormat: 'f32',
      modules: this.#names,
      rsLora: false,
      executor: createOnnxRuntimeExecutor({ threads: 1 })
    })
  }

  /** The state after the last round that was finished, or the base. */
  begin(): Start {
    const path = join(this.#folder, 'state.json')
    if (!existsSync(path)) {
      const { weights } = this.#base
      const modules = new Map(this.#names.map((name) => [name, weights.get(`${name}.weight`)!]))
      return { round: 1, modules, norms: {} }
    }
    const { round, norms } = JSON.parse(readFileSync(path, 'utf8')) as Omit<Start, 'modules'>
    const { tensors } = decodeSafetensors(readFileSync(join(this.#folder, `round-${round}.safetensors`)))
    return { round, modules: tensors, norms }
  }

  /** One round; poisons are tried in some. */
  async run(start: Start, withPoison: boolean): Promise<{ next: Start; found: Measurement[] }> {
    const { members } = this.#federation
    const weights = holdWeights(this.#base.config, withModules(this.#base.weights, start.modules), 'f32')
    const honest: LoraAdapter[] = []
    for (const index of members.keys())
      honest.push(await this.#train(weights, start.round, index, index, false))
    const found: Measurement[] = []
    const before = await Promise.all(members.map(({ heldOut }) => this.#loss(weights, heldOut)))
    const clipped = (adapter: LoraAdapter) =>
      clipAdapter(adapter, (module) => start.norms[module] || Number.POSITIVE_INFINITY)
    const judge = async (sent: Sent, author: number, adapter: LoraAdapter) => {
      const update = clipped(adapter)
      const atShare = scaled(update, 1 / members.length)
      const withOthers = agreement(update, honest.filter((_, index) => index !== author).map(clipped))
      for (const [index, { heldOut }] of members.entries()) {
        const harmOf = async (sentUpdate: LoraAdapter) =>
          (await this.#loss(weights, heldOut, sentUpdate)) - before[index]!
        const harm = await harmOf(update)
        const share = await harmOf(atShare)
        const amplified: number[] = []
        for (const factor of this.#amplifications) amplified.push(await harmOf(scaled(update, factor)))
        const { round } = start
        found.push({ round, sent, author, judge: index, harm, share, amplified, agreement: withOthers })
      }
    }
    for (const [index, adapter] of honest.entries()) await judge('honest', index, adapter)
    if (withPoison) {
      const author = start.round % members.length
      const victim = (author + 1) % members.length
      await judge('sign-flipped', author, scaled(honest[author]!, -1))
      await judge('label-flipped', author, await this.#train(weights, start.round, author, author, true))
      await judge('targeted', author, await this.#train(weights, start.round, author, victim, true))
    }
    return { next: await this.#finish(start, honest), found }
  }

  async dispose(): Promise<void> {
    await this.#evaluator.dispose()
    for (const trainer of this.#trainers.values()) await (await trainer).dispose()
  }

  #loss(
    weights: HeldWeights,
    { ids, weights: scored }: { readonly ids: Int32Array; readonly weights: Uint8Array },
    update?: LoraAdapter
  ): Promise<number> {
    return this.#evaluator.loss({ weights, ids, scored, update, check: () => undefined })
  }

  async #train(
    weights: HeldWeights,
    round: number,
    index: number,
    text: number,
    isFlipped: boolean
  ): Promise<LoraAdapter> {
    const { training, members } = this.#federation
    const { steps, learningRate } = training
    const trainer = await this.#trainerOf(training.ranks[index % training.ranks.length]!)
    const { adapter } = await trainer.train({
      weights,
      seed: combineSeeds(combineSeeds(1, round), index),
      steps,
      nextBatch: (step) => {
        const batch = members[text]!.stream.nextBatch((round - 1) * steps + step)
        return isFlipped ? flipLabels(batch, this.#base.config.vocabularySize) : batch
      },
      schedule: { kind: 'cosine', learningRate, warmupSteps: TRAINING_DEFAULTS.warmupSteps }
    })
    return adapter
  }

  #trainerOf(rank: number): Promise<LoraTrainer> {
    const { targetModules, batchSize, sequenceLength } = this.#federation.training
    const known =
      this.#trainers.get(rank) ??
      createLoraTrainer({
        config: this.#base.config,
        ...{ rank, alpha: 2 * rank, targetModules, batchSize, sequenceLength },
        isolateDocuments: this.#federation.isIsolated
      })
    this.#trainers.set(rank, known)
    return known
  }

  async #finish({ round, modules }: Start, honest: readonly LoraAdapter[]): Promise<Start> {
    const cut: StackMember[] = honest.map((adapter, index) => ({
      author: Uint8Array.of(index),
      samples: this.#federation.members[index]!.samples,
      adapter
    }))
    const stack = stackAdapters(cut, { clip: 'median' })
    const next = {
      round: round + 1,
      modules: mergeAdapter(modules, stack.adapter).modules,
      norms: mediansOf(honest)
    }
    await writeFileAtomic(
      join(this.#folder, `round-${next.round}.safetensors`),
      encodeSafetensors(next.modules)
    )
    return next
  }
}

function mediansOf(adapters: readonly LoraAdapter[]): Record<string, number> {
  const norms = new Map<string, number[]>()
  for (const pair of adapters.flatMap(({ pairs }) => pairs))
    norms.set(pair.module, [...(norms.get(pair.module) ?? []), updateNorm(pair)])
  return Object.fromEntries([...norms].map(([module, all]) => [module, medianNorm(all)]))
}

function scaled({ pairs }: LoraAdapter, factor: number): LoraAdapter {
  return { pairs: pairs.map((pair) => ({ ...pair, B: pair.B.map((element) => element * factor) })) }
}
