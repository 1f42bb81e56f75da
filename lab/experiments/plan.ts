import { AGGREGATION_RULES } from '../aggregation/index.ts'
import { ATTACKS } from './attacks.ts'
import { DEFENCES } from './defences.ts'
import type { Split } from './members.ts'
import type { RunDescription } from './run-description.ts'
import type { RankSetting } from './settings.ts'

/** The studies of an experiment. */
export const STUDIES = ['rules', 'start', 'baseline', 'poison'] as const
export type Study = (typeof STUDIES)[number]

/** The size of an experiment. */
export interface PlanOptions {
  readonly seeds: number
  /** Rounds of all runs but the poisoned ones; the paper's {@link SHORT_ROUNDS} are scored on the way. */
  readonly rounds: number
  readonly studies: readonly Study[]
  readonly splits: readonly Split[]
}

/** Splits of the text, in the order of the runs. */
export const SPLITS: readonly Split[] = ['domain', 'dirichlet']

/** Rounds of the paper's own runs. */
export const SHORT_ROUNDS = 3
/** Rounds of runs with a malicious member. */
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

/**
 * All runs, seed by seed, so that an interrupted experiment has complete comparisons. Warm starts and poisoned members
 * are measured with one domain a member, where members differ most.
 */
export function planRuns({ seeds, rounds, studies, splits }: PlanOptions): RunDescription[] {
  const runs: RunDescription[] = []
  for (let seed = 1; seed <= seeds; seed++)
    for (const split of splits) for (const study of studies) runs.push(...PLANS[study](split, seed, rounds))
  return runs
}

const PLANS: Record<Study, (split: Split, seed: number, rounds: number) => RunDescription[]> = {
  rules: (split, seed, rounds) =>
    RANK_SETTINGS.flatMap((ranks) =>
      [...AGGREGATION_RULES.keys()]
        .filter((method) => (ONLY_IN.get(method) ?? ranks) === ranks)
        .map(
          (method): RunDescription => ({ study: 'rules', method, start: 'rule', split, ranks, seed, rounds })
        )
    ),
  start: (split, seed, rounds) =>
    split !== 'domain'
      ? []
      : (['svd', 'carry'] as const).map((start) => ({
          study: 'start',
          method: 'flora',
          start,
          split,
          ranks: 'heterogeneous',
          seed,
          rounds
        })),
  baseline: (split, seed, rounds) => {
    const common = { study: 'baseline', start: 'rule', split, seed, rounds } as const
    const standalone = { ...common, method: 'standalone', ranks: 'heterogeneous' } as const
    if (split !== 'domain') return [standalone]
    return [
      standalone,
      { ...common, method: 'centralised', ranks: 'homogeneous' },
      { ...common, method: 'centralised-short', ranks: 'homogeneous' }
    ]
  },
  poison: (split, seed, rounds) =>
    split !== 'domain'
      ? []
      : ATTACKS.flatMap((attack) =>
          DEFENCES.map((defence) => ({
            study: 'poison',
            method: 'flora',
            start: 'rule',
            split,
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
