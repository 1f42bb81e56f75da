import { createHash } from 'node:crypto'
import {
  aggregationRule,
  type LoraAdapter,
  type LoraPair,
  mergeAdapter,
  type StackMember,
  type TensorMap
} from '../../src/adapter/index.ts'
import { combineSeeds } from '../../src/data/index.ts'
import { type BaseModel, initialiseLora } from '../../src/model/index.ts'
import type { Start } from './run-description.ts'
import { ALPHA_PER_RANK, type ExperimentSettings } from './settings.ts'

/** What a round begins with. */
export interface GlobalState {
  /** Target modules, by name, as the members train beside them. */
  readonly modules: TensorMap
  /** Adapters of the last round by member, as they were trained. */
  readonly previous: ReadonlyMap<number, LoraAdapter>
}

/** What a rule made of a round. */
export interface RoundOutcome {
  readonly state: GlobalState
  /** The rule's ΔW of this round as one adapter of scale 1. */
  readonly aggregate: LoraAdapter
  /** Target modules of the global model. */
  readonly model: TensorMap
  /** Numbers (of four bytes) that a member needs to start the next round. */
  readonly numbersDown: number
}

/** An aggregation rule with the way in which it starts a round. */
export interface Method {
  /** Whether A stays as it was drawn (FFA-LoRA). */
  readonly freezeA: boolean
  startOf(state: GlobalState, member: number, rank: number, round: number): LoraAdapter
  finish(state: GlobalState, members: readonly StackMember[]): RoundOutcome
}

/** What a method is made for. */
export interface MethodOptions {
  readonly base: BaseModel
  readonly settings: ExperimentSettings
  readonly rule: string
  readonly start: Start
  readonly seed: number
}

/**
 * The method of a run.
 *
 * @throws {AdapterError} when there is no such rule
 */
export function createMethod(options: MethodOptions): Method {
  return mergingMethod(options)
}

/** A rule whose result is merged into the model, after which every member starts anew. */
export function mergingMethod(options: MethodOptions): Method {
  const rule = aggregationRule(options.rule)
  return {
    freezeA: false,
    startOf(state, member, rank, round) {
      const previous = state.previous.get(member)
      if (options.start === 'carry' && previous !== undefined) return withZeroB(previous)
      return freshAdapter(options.base, options.settings, rank, combineSeeds(combineSeeds(options.seed, round), member))
    },
    finish(state, members) {
      const { adapter } = rule.aggregate(members)
      const model = mergeAdapter(state.modules, adapter).modules
      const previous = new Map(members.map(({ author, adapter: local }) => [author[0]!, local]))
      return { state: { modules: model, previous }, aggregate: adapter, model, numbersDown: numbersOf(adapter) }
    }
  }
}

/** An adapter with A drawn from a seed and B zero. */
export function freshAdapter(
  base: BaseModel,
  { targetModules }: ExperimentSettings,
  rank: number,
  seed: number
): LoraAdapter {
  return { pairs: initialiseLora(base.config, { rank, alpha: ALPHA_PER_RANK * rank, targetModules }, seed) }
}

/** The same A, and a B of zeros: the model starts unchanged. */
export function withZeroB({ pairs }: LoraAdapter): LoraAdapter {
  return { pairs: pairs.map((pair) => ({ ...pair, B: new Float32Array(pair.B.length) })) }
}

/** Numbers in an adapter's factors; of B alone where A is known to all. */
export function numbersOf({ pairs }: LoraAdapter, onlyB = false): number {
  return pairs.reduce((sum, { A, B }: LoraPair) => sum + (onlyB ? 0 : A.length) + B.length, 0)
}

/** SHA-256 over the factors of an adapter: equal starts have equal digests. */
export function adapterDigest({ pairs }: LoraAdapter): string {
  const hash = createHash('sha256')
  for (const { module, rank, A, B } of pairs) hash.update(`${module} ${rank}\n`).update(A).update(B)
  return hash.digest('hex')
}
