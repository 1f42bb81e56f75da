import { highestFirst, type ScaledId } from './decide.ts'
import { drawScore, type PartialRow, type RemoteRow } from './remote-row.ts'
import { type Scoring, scaledScore } from './scoring.ts'

/**
 * Relative rounding slack of sums and exponentials. A comparison closer than this is never certain.
 */
export const SUM_SLACK = 1e-9

/** What a partial row reveals about the combined scores. */
export interface KnownScores {
  /** Ids whose combined score is known, highest first. */
  readonly known: readonly ScaledId[]
  /** Upper bound of the remote value of any other id. */
  readonly bound: number
  /**
   * Other ids whose probability may be nonzero, with upper bounds of their combined score over the temperature;
   * unordered.
   */
  readonly others: readonly ScaledId[]
  /** Upper bound of value / T + G of any other id; ∞ if the remote did not know the noise. */
  readonly drawBound: number
}

/**
 * Combined scores of the known ids, and upper bounds for all others. An unreported id x has value(x) ≤ the lowest of
 * the top k, since the ids were chosen by the rounded values that are sent; and exp(value(x)) ≤ tail, of which it is
 * one term, so value(x) ≤ log tail. Adding the offset, dividing by the temperature and adding the noise are monotone in
 * floating point: the same operations on the larger of two numbers never give the smaller result. So the bound of a
 * score is computed with exactly the operations of the score.
 *
 * If the remote knew the noise, the ids with the m highest value / T + G of the row are all known. They are the m
 * highest of the known ids, and no other id exceeds the m-th. The score itself is computed in different steps;
 * `drawnBound` adds slack for their rounding.
 */
export function knownScores(row: PartialRow, scoring: Scoring): KnownScores {
  const size = scoring.offset.length
  const reported = new Uint8Array(size)
  const known: ScaledId[] = []
  for (const [place, id] of row.ids.entries()) {
    reported[id] = 1
    const scaled = scaledScore(scoring, row.values[place]!, id)
    if (scaled > Number.NEGATIVE_INFINITY) known.push({ id, scaled })
  }
  // A relative 2^−40 exceeds the error of a logarithm.
  const logTail = Math.log(row.tail)
  const bound =
    row.tail === 0 ? Number.NEGATIVE_INFINITY : Math.min(row.least, logTail + 2 ** -40 * Math.abs(logTail))
  const others: ScaledId[] = []
  if (bound > Number.NEGATIVE_INFINITY)
    for (let id = 0; id < size; id++)
      if (reported[id] === 0) others.push({ id, scaled: scaledScore(scoring, bound, id) })
  return { known: known.sort(highestFirst), bound, others, drawBound: drawBoundOf(row, scoring) }
}

function drawBoundOf({ ids, values, drawn }: PartialRow, { settings, noise }: Scoring): number {
  if (drawn === 0 || settings.temperature === 0 || ids.length < drawn) return Number.POSITIVE_INFINITY
  const scores = Float64Array.from(ids, (id, place) =>
    drawScore(values[place]!, id, settings.temperature, noise)
  ).sort()
  return scores[scores.length - drawn]!
}

/** Upper bound of the score of an id whose value / T + G is at most `drawBound`. */
export function drawnBound(drawBound: number, { offset, settings }: Scoring, id: number): number {
  const shift = offset[id]! / (settings.temperature === 0 ? 1 : settings.temperature)
  const magnitude = Math.abs(drawBound) + Math.abs(shift) + 64
  return drawBound + shift + 2 ** -40 * magnitude
}

/** The complete row if the partial row determines it, otherwise undefined. */
export function wholeRow(row: PartialRow, size: number): RemoteRow | undefined {
  if (row.ids.length < size && row.tail > 0) return undefined
  const whole = new Float32Array(size).fill(Number.NEGATIVE_INFINITY)
  for (const [place, id] of row.ids.entries()) whole[id] = row.values[place]!
  return whole
}

/** Upper bound of the total mass of the other ids. */
export interface OtherMass {
  /** Mass of the `count` ids with the highest bounds, relative to exp(reference). */
  ofHighest(count: number): number
  readonly all: number
}

/**
 * Upper bounds of sums of exp(scaled score) over other ids, relative to exp(reference). Every value is at most `bound`,
 * and for temperatures up to 1 the sum of exp(value) is at most the tail. Since exp((v + o) / T) ≤ exp(v) · exp(bound
 * (1/T − 1)) · exp(o / T), the sum is largest if the ids with the highest offsets take as much as each can, until the
 * tail is used up.
 */
export function otherMass(
  { bound, others }: KnownScores,
  { settings }: Scoring,
  tail: number,
  reference: number
): OtherMass {
  const temperature = settings.temperature === 0 ? 1 : settings.temperature
  const highest = Float64Array.from(others, ({ scaled }) => -scaled).sort()
  const places = temperature > 1 ? others.length : Math.min(others.length, tail / Math.exp(bound))
  const sums = new Float64Array(others.length + 1)
  for (let index = 0; index < others.length; index++) {
    const share = Math.max(0, Math.min(1, places * (1 + SUM_SLACK) - index))
    sums[index + 1] = sums[index]! + share * Math.exp(-highest[index]! - reference)
  }
  const ofHighest = (count: number): number => sums[count]! * (1 + SUM_SLACK)
  return { ofHighest, all: ofHighest(others.length) }
}
