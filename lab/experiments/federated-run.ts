import { clipToMedian, type LoraAdapter, type StackMember } from '../../src/adapter/index.ts'
import { combineSeeds } from '../../src/data/index.ts'
import type { TensorMap } from '../../src/formats/index.ts'
import { type BaseModel, expandTargetModules } from '../../src/model/index.ts'
import { baseNorm } from '../../src/node/consortium/base-norm.ts'
import { aggregationError, roundBytes } from '../aggregation/index.ts'
import { type Attack, flipLabels, poisonAdapter } from './attacks.ts'
import { type MedianNorms, medianNorms, refuseBeyond } from './defences.ts'
import { type HeldOutScorer, meanLoss } from './held-out.ts'
import type { LocalTrainer } from './local-training.ts'
import type { ExperimentMember } from './members.ts'
import { adapterDigest, type GlobalState, type Method } from './methods.ts'
import type { ResultPoint } from './results.ts'
import type { RunDescription } from './run-description.ts'
import { type ExperimentSettings, ranksOf } from './settings.ts'

/** State shared by runs: one model, compiled once. */
export interface Laboratory {
  readonly base: BaseModel
  readonly settings: ExperimentSettings
  readonly trainer: LocalTrainer
  readonly scorer: HeldOutScorer
  /** Cache of adapters trained from the base, by everything that determines them: rules share their first round. */
  readonly firstRounds: Map<string, LoraAdapter>
}

/** Medians of the cut to which `clip` limits every update. */
const CLIP_FACTOR = 1

/** Rounds after which the model is scored. */
export const SCORED_ROUNDS: readonly number[] = [1, 3, 5, 10, 15, 20]

/** Runs a federation for some rounds: local training, aggregation, scoring. Deterministic on one machine. */
export async function runFederation(
  laboratory: Laboratory,
  members: readonly ExperimentMember[],
  method: Method,
  run: RunDescription,
  onRound: (round: number) => void
): Promise<ResultPoint[]> {
  const { base, settings, scorer } = laboratory
  const modules = expandTargetModules(base.config, settings.targetModules)
  const attacker = run.attack === undefined ? undefined : heaviest(members)
  const ranks = ranksOf(settings, run.ranks)
  const firstBound = baseNorm(base, settings.targetModules)
  let state: GlobalState = {
    modules: new Map(modules.map((module) => [module, base.weights.get(`${module}.weight`)!])),
    last: undefined,
    previous: new Map()
  }
  let medians: MedianNorms | undefined
  const points: ResultPoint[] = []
  for (let round = 1; round <= run.rounds; round++) {
    const trained: StackMember[] = []
    for (const member of members) {
      const start = method.startOf(state, member.index, ranks[member.index]!, round)
      const attack = member.index === attacker ? run.attack : undefined
      const work = { start, state, round, run, attack, freezeA: !method.rule.trains.includes('A') }
      const adapter = await trainMember(laboratory, member, work)
      trained.push({ author: member.author, samples: member.samples, adapter })
    }
    const counted = defend(trained, run, medians, firstBound)
    medians = medianNorms(counted)
    const outcome = method.finish(state, trained, counted)
    state = outcome.state
    if (SCORED_ROUNDS.includes(round) || round === run.rounds) {
      const losses = await scorer.score(withModules(base.weights, outcome.model))
      const bytes = roundBytes(method.rule, trained, outcome.aggregate)
      points.push({
        round,
        losses,
        mean: meanLoss(losses),
        aggregation: {
          rank: Math.max(...outcome.aggregate.ranks.values()),
          error: aggregationError(outcome.aggregate, counted),
          bytesUp: bytes.up,
          bytesDown: bytes.down,
          members: counted.length
        }
      })
    }
    onRound(round)
  }
  return points
}

/** The weights with other target modules. */
export function withModules(weights: TensorMap, modules: TensorMap): TensorMap {
  return new Map([
    ...weights,
    ...[...modules].map(([module, tensor]) => [`${module}.weight`, tensor] as const)
  ])
}

/** The malicious member is the one with the largest weight: the worst case. */
function heaviest(members: readonly ExperimentMember[]): number {
  return members.reduce((most, member) => (member.samples > most.samples ? member : most)).index
}

function defend(
  members: readonly StackMember[],
  { defence }: RunDescription,
  before: MedianNorms | undefined,
  firstBound: number
): readonly StackMember[] {
  if (defence === 'clip') return clipToMedian(members, CLIP_FACTOR)
  if (defence === 'refuse') return refuseBeyond(members, before)
  return defence === 'refuse-base' ? refuseBeyond(members, before, firstBound) : members
}

interface RoundWork {
  readonly start: LoraAdapter
  readonly state: GlobalState
  readonly round: number
  readonly run: RunDescription
  readonly attack: Attack | undefined
  readonly freezeA: boolean
}

async function trainMember(
  { base, settings, trainer, firstRounds }: Laboratory,
  member: ExperimentMember,
  { start, state, round, run, attack, freezeA }: RoundWork
): Promise<LoraAdapter> {
  const flipped = attack === 'label-flipped'
  const key = [run.split, run.seed, member.index, freezeA, flipped, adapterDigest(start)].join(' ')
  let adapter = round === 1 ? firstRounds.get(key) : undefined
  if (adapter === undefined) {
    const session = trainer.begin(withModules(base.weights, state.modules), start, freezeA)
    await session.advance(settings.stepsPerRound, (step) => {
      const batch = member.batches.nextBatch((round - 1) * settings.stepsPerRound + step)
      return flipped ? flipLabels(batch, base.config.vocabularySize) : batch
    })
    adapter = session.adapter
  }
  if (round === 1) firstRounds.set(key, adapter)
  return attack === undefined ? adapter : poisonAdapter(adapter, attack, combineSeeds(run.seed, round))
}
