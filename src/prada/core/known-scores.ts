import { highestFirst, type ScaledId } from './decide.ts'
import type { PartialRow, RemoteRow } from './remote-row.ts'
import { type Scoring, scaledScore } from './scoring.ts'

/**
 * Rounding slack of sums and exponentials, relative. Where a comparison is closer than this, nothing is certain.
 */
export const SUM_SLACK = 1e-9

/** What a partial row says of the combined scores. */
export interface KnownScores {
  /** Ids whose combined score is known, highest first. */
  readonly known: readonly ScaledId[]
  /** The most that any other id's remote value can be. */
  readonly bound: number
  /** Other ids that may have a probability, with the most their combined score over the temperature can be; unordered. */
  readonly others: readonly ScaledId[]
}

/**
 * Combined scores of the known ids, and bounds of all others'. An id x that was not told has value(x) ≤ the lowest of the
 * top k, since the ids were chosen by the rounded values that the line carries; and exp(value(x)) ≤ tail, of which it is
 * one term, so that value(x) ≤ log tail. Adding the offset, dividing by the temperature and adding the noise are monotone
 * in floating point: the same steps from the larger of two numbers never lead to the smaller result. So the bound of a
 * score is computed by the very steps of the score.
 */
export function knownScores(row: PartialRow, scoring: Scoring): KnownScores {
  const size = scoring.offset.length
  const told = new Uint8Array(size)
  const known: ScaledId[] = []
  for (const [place, id] of row.ids.entries()) {
    told[id] = 1
    const scaled = scaledScore(scoring, row.values[place]!, id)
    if (scaled > Number.NEGATIVE_INFINITY) known.push({ id, scaled })
  }
  // One part in 2^40 is above the error of a logarithm.
  const logTail = Math.log(row.tail)
  const bound =
    row.tail === 0 ? Number.NEGATIVE_INFINITY : Math.min(row.least, logTail + 2 ** -40 * Math.abs(logTail))
  const others: ScaledId[] = []
  if (bound > Number.NEGATIVE_INFINITY)
    for (let id = 0; id < size; id++)
      if (told[id] === 0) others.push({ id, scaled: scaledScore(scoring, bound, id) })
  return { known: known.sort(highestFirst), bound, others }
}

/** The row, where a partial one tells it whole; undefined elsewhere. */
export function wholeRow(row: PartialRow, size: number): RemoteRow | undefined {
  if (row.ids.length < size && row.tail > 0) return undefined
  const whole = new Float32Array(size).fill(Number.NEGATIVE_INFINITY)
  for (const [place, id] of row.ids.entries()) whole[id] = row.values[place]!
  return whole
}

/**
 * The most that the other ids' exponentials of scaled scores can sum to, relative to exp(reference): the sum of every
 * bound, and for temperatures up to 1 the tail times the largest factor, as
 * exp((v + o) / T) = exp(v) · exp(v (1/T − 1)) · exp(o / T).
 */
export function otherMass(
  { bound, others }: KnownScores,
  { offset, settings }: Scoring,
  tail: number,
  reference: number
): number {
  const temperature = settings.temperature === 0 ? 1 : settings.temperature
  let byBounds = 0
  let highestOffset = Number.NEGATIVE_INFINITY
  for (const { id, scaled } of others) {
    byBounds += Math.exp(scaled - reference)
    if (offset[id]! > highestOffset) highestOffset = offset[id]!
  }
  if (others.length === 0) return 0
  const byTail =
    temperature > 1
      ? Number.POSITIVE_INFINITY
      : Math.exp(Math.log(tail) + bound * (1 / temperature - 1) + highestOffset / temperature - reference)
  return Math.min(byBounds, byTail) * (1 + SUM_SLACK)
}
