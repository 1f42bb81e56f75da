import { highestFirst, type ScaledId } from './decide.ts'
import { drawScore, type PartialRow, type RemoteRow } from './remote-row.ts'
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
  /** The most that value / T + G of any other id can be; ∞ where the remote did not know the noise. */
  readonly drawBound: number
}

/**
 * Combined scores of the known ids, and bounds of all others'. An id x that was not told has value(x) ≤ the lowest of the
 * top k, since the ids were chosen by the rounded values that the line carries; and exp(value(x)) ≤ tail, of which it is
 * one term, so that value(x) ≤ log tail. Adding the offset, dividing by the temperature and adding the noise are monotone
 * in floating point: the same steps from the larger of two numbers never lead to the smaller result. So the bound of a
 * score is computed by the very steps of the score.
 *
 * Where the remote knew the noise, the ids with the m highest value / T + G of the row are all known; so they are the m
 * highest of the known ones, and no other id is above the m-th. That does not hold for a score's own steps, whose rounding
 * `drawnBound` makes room for.
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
  return { known: known.sort(highestFirst), bound, others, drawBound: drawBoundOf(row, scoring) }
}

function drawBoundOf({ ids, values, drawn }: PartialRow, { settings, noise }: Scoring): number {
  if (drawn === 0 || settings.temperature === 0 || ids.length < drawn) return Number.POSITIVE_INFINITY
  const scores = Float64Array.from(ids, (id, place) =>
    drawScore(values[place]!, id, settings.temperature, noise)
  ).sort()
  return scores[scores.length - drawn]!
}

/** The most that the score of an id can be whose value / T + G is at most `drawBound`. */
export function drawnBound(drawBound: number, { offset, settings }: Scoring, id: number): number {
  const shift = offset[id]! / (settings.temperature === 0 ? 1 : settings.temperature)
  const magnitude = Math.abs(drawBound) + Math.abs(shift) + 64
  return drawBound + shift + 2 ** -40 * magnitude
}

/** The row, where a partial one tells it whole; undefined elsewhere. */
export function wholeRow(row: PartialRow, size: number): RemoteRow | undefined {
  if (row.ids.length < size && row.tail > 0) return undefined
  const whole = new Float32Array(size).fill(Number.NEGATIVE_INFINITY)
  for (const [place, id] of row.ids.entries()) whole[id] = row.values[place]!
  return whole
}

/** The most that other ids can have together. */
export interface OtherMass {
  /** Of the `count` with the highest bounds, relative to exp(reference). */
  ofHighest(count: number): number
  readonly all: number
}

/**
 * Bounds of sums of exp(scaled score) over other ids, relative to exp(reference). Every value is at most `bound`, and for
 * temperatures up to 1 the sum of exp(value) is at most the tail: as
 * exp((v + o) / T) ≤ exp(v) · exp(bound (1/T − 1)) · exp(o / T), the sum is the largest when the ids with the highest
 * offsets have all that they can have, until the tail is used up.
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
