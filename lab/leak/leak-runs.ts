import { type LoraAdapter, stackAdapters } from '../../src/adapter/index.ts'
import { createBatchStream, documentTokens, loadDomain } from '../../src/data/index.ts'
import type { TensorMap } from '../../src/formats/index.ts'
import {
  applyAdapter,
  type BaseModel,
  createEvaluator,
  createLoraTrainer,
  createSeededRandom,
  type LoraTrainer
} from '../../src/model/index.ts'
import type { AttackScores } from './attack.ts'

/** What an attacker has in addition to the base model. */
export type View =
  /** One member's shard, as sent after one round: what every member sees. */
  | 'shard'
  /** The exported adapter after one round of four members: what a later member sees. */
  | 'stack'
  /** The exported adapter after four rounds. */
  | 'stack of 4 rounds'

/** One kind of run; runs of a kind differ only in their seed. */
export interface LeakCase {
  readonly view: View
  readonly rank: number
  /** Optimizer steps per round. */
  readonly steps: number
  /** Documents that the attacked member trained on. */
  readonly documents: number
}

/** A run and the result of its attack. */
export interface LeakRun extends LeakCase, AttackScores {
  readonly seed: number
  readonly domain: string
  /** Loss on the member's own documents before and after, nats per token. */
  readonly ownLoss: readonly [number, number]
  /** Loss on documents of the same kind that it did not train on, before and after. */
  readonly otherLoss: readonly [number, number]
}

/** Inputs of an attack. */
export interface LeakSubject {
  readonly domain: string
  /** Tokens of the documents that the attacked member trained on, and of others of their kind. */
  readonly trainedOn: readonly (readonly number[])[]
  readonly others: readonly (readonly number[])[]
  /** The model that the attacker builds from the base and what it sees. */
  readonly weights: TensorMap
}

/** A peer's default training settings. */
export const TRAINING = {
  batchSize: 8,
  sequenceLength: 128,
  learningRate: 3e-3,
  warmupSteps: 4,
  targetModules: ['q_proj', 'v_proj'],
  alphaPerRank: 2
} as const
/** The attacked member's domain, rotating with the seed; the other three belong to the other members. */
const DOMAINS = ['rpm-packagers', 'newsletters', 'spam', 'linux-users'] as const
/** Maximum number of documents that were not trained on. */
const OTHERS_MAX = 200
/** Number of tokens of a document that the attacker scores. */
const SCORED_TOKENS = 256
const CONTEXT = 128

const USUAL = { rank: 8, steps: 40, documents: 64 }

/** Varies one setting at a time, starting from the default round of a small member. */
export function leakCases(quick: boolean): LeakCase[] {
  if (quick) return [{ view: 'shard', rank: 2, steps: 2, documents: 8 }]
  return [
    { view: 'shard', ...USUAL },
    { view: 'stack', ...USUAL },
    { view: 'stack of 4 rounds', ...USUAL },
    ...[2, 32].map((rank) => ({ view: 'shard' as const, ...USUAL, rank })),
    ...[10, 160].map((steps) => ({ view: 'shard' as const, ...USUAL, steps })),
    ...[16, 200].map((documents) => ({ view: 'shard' as const, ...USUAL, documents }))
  ]
}

/** Executes runs, and caches compiled steps, text and base losses between them. */
export class LeakLaboratory {
  readonly #base: BaseModel
  readonly #trainers = new Map<number, Promise<LoraTrainer>>()
  readonly #texts = new Map<string, Promise<readonly (readonly number[])[]>>()
  readonly #evaluator: ReturnType<typeof createEvaluator>
  readonly #baseLosses = new WeakMap<readonly number[], number>()

  constructor(base: BaseModel) {
    this.#base = base
    this.#evaluator = createEvaluator({ config: base.config, context: CONTEXT })
  }

  /** Trains as in a run, and leaves the attack to the caller. */
  async prepare(leakCase: LeakCase, seed: number): Promise<LeakSubject> {
    const domain = DOMAINS[seed % DOMAINS.length]!
    const text = shuffled(await this.#text(domain), seed)
    const trainedOn = text.slice(0, leakCase.documents)
    const others = text.slice(leakCase.documents, leakCase.documents + OTHERS_MAX)
    if (others.length < 30)
      throw new Error(`${domain} has too few documents for ${leakCase.documents} members`)
    return { domain, trainedOn, others, weights: await this.#seenBy(leakCase, seed, domain, trainedOn) }
  }

  async run(leakCase: LeakCase, seed: number): Promise<LeakRun> {
    const { domain, trainedOn, others, weights } = await this.prepare(leakCase, seed)
    const own = await this.#losses(weights, trainedOn)
    const other = await this.#losses(weights, others)
    const gains = (losses: readonly Loss[]) =>
      losses.map(({ before, after }) => Math.round((before - after) * 1e5) / 1e5)
    const means = (losses: readonly Loss[]): [number, number] => [
      mean(losses.map(({ before }) => before)),
      mean(losses.map(({ after }) => after))
    ]
    return {
      ...leakCase,
      seed,
      domain,
      ownLoss: means(own),
      otherLoss: means(other),
      members: gains(own),
      others: gains(other)
    }
  }

  async dispose(): Promise<void> {
    for (const trainer of this.#trainers.values()) await (await trainer).dispose()
    await (await this.#evaluator).dispose()
  }

  /** The weights that an attacker builds from the base and what it sees. */
  async #seenBy(
    leakCase: LeakCase,
    seed: number,
    domain: string,
    trainedOn: readonly (readonly number[])[]
  ): Promise<TensorMap> {
    const { weights } = this.#base
    if (leakCase.view === 'shard')
      return applyAdapter(weights, await this.#train(weights, trainedOn, leakCase, seed, 0))
    const members = [trainedOn]
    for (const name of DOMAINS)
      if (name !== domain) members.push(shuffled(await this.#text(name), seed).slice(0, leakCase.documents))
    let merged: TensorMap = weights
    for (let round = 0; round < (leakCase.view === 'stack' ? 1 : 4); round++) {
      const cut = []
      for (const [index, documents] of members.entries())
        cut.push({
          author: Uint8Array.of(index),
          samples: documents.length,
          adapter: await this.#train(merged, documents, leakCase, seed + 1000 * index, round)
        })
      merged = applyAdapter(merged, stackAdapters(cut).adapter)
    }
    return merged
  }

  async #train(
    weights: TensorMap,
    documents: readonly (readonly number[])[],
    { rank, steps }: LeakCase,
    seed: number,
    round: number
  ): Promise<LoraAdapter> {
    const { batchSize, sequenceLength, learningRate, warmupSteps } = TRAINING
    const { tokenizer } = this.#base
    const stream = createBatchStream({ documents, tokenizer, batchSize, sequenceLength, seed })
    const { adapter } = await (await this.#trainer(rank)).train({
      weights,
      seed: seed + 100_000 * round,
      steps,
      nextBatch: (step) => stream.nextBatch(round * steps + step),
      schedule: { kind: 'cosine', learningRate, warmupSteps: Math.min(warmupSteps, steps - 1) },
      clipNorm: 1
    })
    return adapter
  }

  #trainer(rank: number): Promise<LoraTrainer> {
    const { alphaPerRank, batchSize, sequenceLength, targetModules } = TRAINING
    const known =
      this.#trainers.get(rank) ??
      createLoraTrainer({
        config: this.#base.config,
        rank,
        alpha: alphaPerRank * rank,
        targetModules,
        batchSize,
        sequenceLength
      })
    this.#trainers.set(rank, known)
    return known
  }

  #text(domain: string): Promise<readonly (readonly number[])[]> {
    const { tokenizer } = this.#base
    const known =
      this.#texts.get(domain) ??
      loadDomain(domain).then(({ documents }) => documents.map(({ text }) => tokenizer.encode(text)))
    this.#texts.set(domain, known)
    return known
  }

  async #losses(weights: TensorMap, documents: readonly (readonly number[])[]): Promise<Loss[]> {
    const evaluator = await this.#evaluator
    const losses: Loss[] = []
    for (const document of documents) {
      const ids = documentTokens(document, this.#base.tokenizer).slice(0, SCORED_TOKENS)
      if (ids.length < 2) continue
      const before =
        this.#baseLosses.get(document) ?? (await evaluator.score({ weights: this.#base.weights, ids })).nats
      this.#baseLosses.set(document, before)
      losses.push({ before, after: (await evaluator.score({ weights, ids })).nats })
    }
    return losses
  }
}

interface Loss {
  readonly before: number
  readonly after: number
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Seeded Fisher–Yates shuffle. */
function shuffled<T>(values: readonly T[], seed: number): T[] {
  const random = createSeededRandom(seed + 7)
  const order = [...values]
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random.uniform() * (last + 1))
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}
