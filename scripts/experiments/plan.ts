import { AGGREGATION_RULES } from '../../src/adapter/index.ts'
import { ATTACKS } from './attacks.ts'
import { DEFENCES } from './defences.ts'
import type { RunDescription } from './run-description.ts'
import type { RankSetting } from './settings.ts'

/** Studies that an experiment is made of. */
export const STUDIES = ['baseline', 'rules', 'start', 'poison'] as const
export type Study = (typeof STUDIES)[number]

/** How much is run. */
export interface PlanOptions {
  readonly seeds: number
  /** Rounds of the long runs; the Dirichlet split has {@link SHORT_ROUNDS} at most. */
  readonly rounds: number
  readonly studies: readonly Study[]
}

/** Rounds of the paper's own runs. */
export const SHORT_ROUNDS = 3
/** Rounds that a poisoned member has. */
const POISON_ROUNDS = 3
const RANK_SETTINGS: readonly RankSetting[] = ['heterogeneous', 'homogeneous']

/**
 * Rules that need one rank, and the one that stands for them where ranks differ: zero-padding is FedIT on padded
 * factors, so each of the two has one setting.
 */
const ONLY_IN: ReadonlyMap<string, RankSetting> = new Map([
  ['fedit', 'homogeneous'],
  ['zero-pad', 'heterogeneous']
])

/** All runs, seed by seed, so that an experiment that is cut short has whole comparisons. */
export function planRuns({ seeds, rounds, studies }: PlanOptions): RunDescription[] {
  const runs: RunDescription[] = []
  for (let seed = 1; seed <= seeds; seed++)
    for (const study of studies) runs.push(...PLANS[study](seed, rounds))
  return runs
}

const PLANS: Record<Study, (seed: number, rounds: number) => RunDescription[]> = {
  baseline: (seed, rounds) => {
    const common = { study: 'baseline', start: 'rule', seed } as const
    const domain = { ...common, split: 'domain', rounds } as const
    return [
      { ...domain, method: 'standalone', ranks: 'heterogeneous' },
      { ...domain, method: 'centralised', ranks: 'homogeneous' },
      { ...domain, method: 'centralised-short', ranks: 'homogeneous' },
      {
        ...common,
        method: 'standalone',
        ranks: 'heterogeneous',
        split: 'dirichlet',
        rounds: Math.min(rounds, SHORT_ROUNDS)
      }
    ]
  },
  rules: (seed, rounds) =>
    (['domain', 'dirichlet'] as const).flatMap((split) =>
      RANK_SETTINGS.flatMap((ranks) =>
        [...AGGREGATION_RULES.keys()]
          .filter((method) => (ONLY_IN.get(method) ?? ranks) === ranks)
          .map(
            (method): RunDescription => ({
              study: 'rules',
              method,
              start: 'rule',
              split,
              ranks,
              seed,
              rounds: split === 'domain' ? rounds : Math.min(rounds, SHORT_ROUNDS)
            })
          )
      )
    ),
  start: (seed, rounds) =>
    (['svd', 'carry'] as const).map((start) => ({
      study: 'start',
      method: 'flora',
      start,
      split: 'domain',
      ranks: 'heterogeneous',
      seed,
      rounds
    })),
  poison: (seed, rounds) =>
    ATTACKS.flatMap((attack) =>
      DEFENCES.map((defence) => ({
        study: 'poison',
        method: 'flora',
        start: 'rule',
        split: 'domain',
        ranks: 'heterogeneous',
        seed,
        rounds: Math.min(rounds, POISON_ROUNDS),
        attack,
        defence
      }))
    )
}

/** Units of work of a run: member rounds. */
export function workOf(run: RunDescription, members: number): number {
  return run.method === 'centralised-short' ? run.rounds : run.rounds * members
}
