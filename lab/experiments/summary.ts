import type { DomainLosses } from './held-out.ts'
import type { ResultPoint, RunResult } from './results.ts'
import type { RunDescription } from './run-description.ts'

/** Mean and spread over seeds. */
export interface Estimate {
  readonly mean: number
  /** Sample standard deviation; 0 for one seed. */
  readonly deviation: number
  readonly count: number
}

/** Runs that differ in their seed alone, after the same number of rounds. */
export interface SummaryRow extends Omit<RunDescription, 'seed' | 'rounds'> {
  readonly round: number
  /** Held-out loss over the domains, nats per token. */
  readonly loss: Estimate
  /** Loss minus that of FLoRA with the same seed, split, ranks and rounds; undefined if that was not run. */
  readonly againstFlora: Estimate | undefined
  /** Seeds in which the loss is below FLoRA's. */
  readonly seedsBelowFlora: number
  /** Means over the seeds. */
  readonly domains: DomainLosses
  readonly aggregation: ResultPoint['aggregation']
}

/** Mean and sample deviation. */
export function estimate(values: readonly number[]): Estimate {
  const count = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : 0, count }
}

/** One row for each kind of run and each scored round, in the order of the runs. */
export function summarise(runs: readonly RunResult[]): SummaryRow[] {
  const longest = longestRuns(runs)
  const groups = new Map<string, RunResult[]>()
  for (const run of longest) groups.set(kindOf(run), [...(groups.get(kindOf(run)) ?? []), run])
  return [...groups.values()].flatMap((group) => {
    const rounds = [...new Set(group.flatMap(({ points }) => points.map(({ round }) => round)))]
    return rounds.sort((left, right) => left - right).map((round) => summaryRow(group, round, longest))
  })
}

/** Shorter runs are prefixes of longer ones: the longest of each kind and seed contains the others' points. */
function longestRuns(runs: readonly RunResult[]): RunResult[] {
  const best = new Map<string, RunResult>()
  for (const run of runs) {
    const key = `${kindOf(run)} ${run.seed}`
    const found = best.get(key)
    if (found === undefined || found.rounds < run.rounds) best.set(key, run)
  }
  return [...best.values()]
}

function summaryRow(group: readonly RunResult[], round: number, all: readonly RunResult[]): SummaryRow {
  const scored = group.filter((run) => pointAt(run, round) !== undefined)
  const points = scored.map((run) => pointAt(run, round)!)
  const differences = scored.flatMap((run) => {
    const flora = all.find((other) => isFloraOf(run, other))
    const point = flora === undefined ? undefined : pointAt(flora, round)
    return point === undefined ? [] : [pointAt(run, round)!.mean - point.mean]
  })
  const { seed: _seed, rounds: _rounds, id: _id, points: _points, seconds: _seconds, ...kind } = group[0]!
  const domains: Record<string, number> = {}
  for (const domain of Object.keys(points[0]!.losses))
    domains[domain] = estimate(points.map(({ losses }) => losses[domain]!)).mean
  return {
    ...kind,
    round,
    loss: estimate(points.map(({ mean }) => mean)),
    againstFlora: differences.length === 0 ? undefined : estimate(differences),
    seedsBelowFlora: differences.filter((difference) => difference < 0).length,
    domains,
    aggregation: meanAggregation(points)
  }
}

function meanAggregation(points: readonly ResultPoint[]): ResultPoint['aggregation'] {
  const found = points.flatMap(({ aggregation }) => (aggregation === undefined ? [] : [aggregation]))
  if (found.length === 0) return undefined
  const mean = (key: keyof (typeof found)[number]) => estimate(found.map((values) => values[key])).mean
  return {
    rank: mean('rank'),
    error: mean('error'),
    bytesUp: mean('bytesUp'),
    bytesDown: mean('bytesDown'),
    members: mean('members')
  }
}

function isFloraOf(run: RunResult, other: RunResult): boolean {
  return (
    other.study === 'rules' &&
    other.method === 'flora' &&
    other.split === run.split &&
    other.ranks === run.ranks &&
    other.seed === run.seed
  )
}

function pointAt({ points }: RunResult, round: number): ResultPoint | undefined {
  return points.find((point) => point.round === round)
}

function kindOf({ study, method, start, split, ranks, attack, defence }: RunResult): string {
  return [study, method, start, split, ranks, attack, defence].join(' ')
}
