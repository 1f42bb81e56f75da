import { createHash } from 'node:crypto'
import { type LoraAdapter, mergeAdapter, type StackMember } from '../../src/adapter/index.ts'
import { combineSeeds } from '../../src/data/index.ts'
import type { Tensor, TensorMap } from '../../src/formats/index.ts'
import { type BaseModel, initialiseLora } from '../../src/model/index.ts'
import {
  type Aggregate,
  type AggregationRule,
  aggregationRule,
  type Init,
  nextStart
} from '../aggregation/index.ts'
import { ALPHA_PER_RANK, type ExperimentSettings } from './settings.ts'

/** State at the start of a round. */
export interface GlobalState {
  /** Weights of the target modules, by name, that the members train adapters for. */
  readonly modules: TensorMap
  /** Result of the last round; undefined before the first. */
  readonly last: Aggregate | undefined
  /** Adapters by member, as trained in the last round. */
  readonly previous: ReadonlyMap<number, LoraAdapter>
}

/** Result of a round under a rule. */
export interface RoundOutcome {
  readonly state: GlobalState
  readonly aggregate: Aggregate
  /** Target modules of the global model. */
  readonly model: TensorMap
}

/** An aggregation rule and how it starts a round. */
export interface Method {
  readonly rule: AggregationRule
  startOf(state: GlobalState, member: number, rank: number, round: number): LoraAdapter
  /** @param trained every member's adapter; @param counted those that are aggregated, as aggregated */
  finish(state: GlobalState, trained: readonly StackMember[], counted: readonly StackMember[]): RoundOutcome
}

/** Options of a method. */
export interface MethodOptions {
  readonly base: BaseModel
  readonly settings: ExperimentSettings
  readonly rule: string
  readonly start: Init
  readonly seed: number
}

/**
 * Rules whose members start with rows of a shared A: averages of different A would cancel out, and FFA-LoRA requires
 * it.
 */
const SHARED_A: ReadonlySet<string> = new Set(['fedit', 'zero-pad', 'ffa', 'fedex'])

/**
 * The method of a run.
 *
 * @throws {AdapterError} if the rule is unknown
 */
export function createMethod({ base, settings, start, seed, ...options }: MethodOptions): Method {
  const rule = aggregationRule(options.rule)
  const draw = (rank: number, round: number, member: number): LoraAdapter => {
    const drawn = combineSeeds(seed, round)
    if (!SHARED_A.has(rule.name)) return freshAdapter(base, settings, rank, combineSeeds(drawn, member))
    return firstRows(freshAdapter(base, settings, Math.max(...settings.heterogeneousRanks), drawn), rank)
  }
  return {
    rule,
    startOf({ last, previous }, member, rank, round) {
      const own = previous.get(member)
      if (last === undefined || own === undefined) return draw(rank, round, member)
      return nextStart(rule, last, own, start).adapter ?? draw(rank, round, member)
    },
    finish({ modules }, trained, counted) {
      const aggregate = rule.aggregate(counted)
      const { merge, residual } = nextStart(rule, aggregate, trained[0]!.adapter, start)
      const state = {
        modules: mergeAdapter(addResidual(modules, residual), merge).modules,
        last: aggregate,
        previous: new Map(trained.map(({ author, adapter }) => [author[0]!, adapter]))
      }
      const model = mergeAdapter(addResidual(modules, aggregate.residual), aggregate.adapter).modules
      return { state, aggregate, model }
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

/** SHA-256 over the factors of an adapter: equal starts have equal digests. */
export function adapterDigest({ pairs }: LoraAdapter): string {
  const hash = createHash('sha256')
  for (const { module, rank, A, B } of pairs) hash.update(`${module} ${rank}\n`).update(A).update(B)
  return hash.digest('hex')
}

/** The first rows of every A, with B zero. */
function firstRows({ pairs }: LoraAdapter, rank: number): LoraAdapter {
  return {
    pairs: pairs.map((pair) => ({
      ...pair,
      rank,
      alpha: ALPHA_PER_RANK * rank,
      A: pair.A.slice(0, rank * pair.inFeatures),
      B: new Float32Array(pair.outFeatures * rank)
    }))
  }
}

function addResidual(modules: TensorMap, residual: ReadonlyMap<string, Tensor>): TensorMap {
  if (residual.size === 0) return modules
  const added = new Map(modules)
  for (const [module, { data }] of residual) {
    const { shape, data: weight } = modules.get(module)!
    added.set(module, { shape, data: weight.map((element, index) => element + data[index]!) })
  }
  return added
}
