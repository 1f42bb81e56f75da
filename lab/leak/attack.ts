import { createSeededRandom } from '../../src/model/index.ts'

/** The scores of an attack: one per document, higher if it looks more like a training document. */
export interface AttackScores {
  /** Scores of training documents. */
  readonly members: readonly number[]
  /** Scores of documents of the same kind that were not trained on. */
  readonly others: readonly number[]
}

/** An estimate with the interval in which 95 of 100 bootstrap samples lie. */
export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** How well an attacker distinguishes the two. */
export interface AttackStrength {
  /** Chance that a random member scores above a random other; 0.5 is guessing. */
  readonly auc: Interval
  /** Share of the members found at a false positive rate of one in a hundred. */
  readonly truePositives: Interval
}

/**
 * False positive rate at which members are counted (Carlini et al., 2022: averages hide the few who are sure to be
 * found).
 */
export const FALSE_POSITIVE_RATE = 0.01
const BOOTSTRAP_SAMPLES = 1000

/** Area under the ROC curve: the Mann-Whitney statistic, ties counted half. */
export function areaUnderCurve({ members, others }: AttackScores): number {
  const sorted = Float64Array.from(others).sort()
  let sum = 0
  for (const score of members) sum += (below(sorted, score, false) + below(sorted, score, true)) / 2
  return sum / (members.length * others.length)
}

/** Share of the members that score above all but a share of the others; conservative if there are few others. */
export function truePositiveRate({ members, others }: AttackScores, falsePositiveRate: number): number {
  const sorted = Float64Array.from(others).sort()
  const allowed = Math.floor(falsePositiveRate * others.length)
  const threshold = sorted[sorted.length - 1 - allowed]!
  return members.filter((score) => score > threshold).length / members.length
}

/**
 * Strength over several runs: the mean of the runs. The intervals come from resampling runs, and documents within each,
 * with replacement.
 */
export function attackStrength(runs: readonly AttackScores[], seed: number): AttackStrength {
  const random = createSeededRandom(seed)
  const draw = <T>(values: readonly T[]): T[] =>
    Array.from(values, () => values[Math.floor(random.uniform() * values.length)]!)
  const mean = (of: (run: AttackScores) => number, drawn: readonly AttackScores[]) =>
    drawn.reduce((sum, run) => sum + of(run), 0) / drawn.length
  const measures = [
    areaUnderCurve,
    (run: AttackScores) => truePositiveRate(run, FALSE_POSITIVE_RATE)
  ] as const
  const samples = Array.from({ length: BOOTSTRAP_SAMPLES }, () => {
    const drawn = draw(runs).map(({ members, others }) => ({ members: draw(members), others: draw(others) }))
    return measures.map((measure) => mean(measure, drawn))
  })
  const [auc, truePositives] = measures.map((measure, index) => {
    const sorted = samples.map((sample) => sample[index]!).sort((left, right) => left - right)
    const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!
    return { value: mean(measure, runs), low: at(0.025), high: at(0.975) }
  })
  return { auc: auc!, truePositives: truePositives! }
}

/** How many of `sorted` are below a score, or at most equal to it. */
function below(sorted: Float64Array, score: number, orEqual: boolean): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < score || (orEqual && sorted[middle] === score)) low = middle + 1
    else high = middle
  }
  return low
}
