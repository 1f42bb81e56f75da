import { NOISE_MAX } from './gumbel-noise.ts'
import { drawnBound } from './known-scores.ts'
import { drawnIds, drawScore, highestIds } from './remote-row.ts'
import { goesBefore, noiseOf, type Scoring, scaledScore } from './scoring.ts'

/** How many ids to request before the remote's answer is known. */
export interface WantedLimits {
  /** Top k of the request. */
  readonly topK: number
  /** Number of ids that the remote reports because it knows the noise; 0 if it does not. */
  readonly drawn: number
  /** Maximum number of ids to request. */
  readonly most: number
  /**
   * Ids are requested if their score may come within this distance of the expected winner's, nats over the temperature.
   */
  readonly margin: number
}

/**
 * Ids that could win a position, chosen from what is known before the trip. `expected`, a row similar to the one that
 * the remote will send (the base proxy's), estimates where the top k ends and about how high the winner scores; offset
 * and noise are exact. An id that is not expected to be reported counts with its upper bound.
 *
 * The decision is exact whichever ids are chosen; a bad choice costs another trip.
 *
 * @param expected logits or log-probabilities up to a constant, [at least the vocabulary's size]
 * @returns ids in ascending order, at most `limits.most`
 */
export function wantedIds(expected: Float32Array, scoring: Scoring, limits: WantedLimits): number[] {
  const size = scoring.offset.length
  if (limits.most === 0) return []
  const row = expected.subarray(0, size)
  const top = highestIds(row, limits.topK)
  const reported = new Set(top)
  const least = Math.min(row[top.at(-1)!]!, logTail(row, reported))
  const noise = noiseOf(scoring)
  const { temperature } = scoring.settings
  let drawBound = Number.POSITIVE_INFINITY
  if (limits.drawn > 0 && temperature > 0) {
    const drawn = drawnIds(row, { count: limits.drawn, temperature, noise })
    for (const id of drawn) reported.add(id)
    drawBound = drawScore(row[drawn.at(-1)!]!, drawn.at(-1)!, temperature, noise)
  }
  const most = scoring.settings.temperature === 0 ? 0 : NOISE_MAX

  let winner = Number.NEGATIVE_INFINITY
  for (const id of reported) winner = Math.max(winner, scaledScore(scoring, row[id]!, id) + noise(id))
  const found: { id: number; score: number }[] = []
  for (let id = 0; id < size; id++) {
    const scaled = scaledScore(scoring, reported.has(id) ? row[id]! : least, id)
    if (scaled + most < winner - limits.margin) continue
    const drawn = reported.has(id) ? Number.POSITIVE_INFINITY : drawnBound(drawBound, scoring, id)
    if (drawn < winner - limits.margin) continue
    const score = Math.min(scaled + noise(id), drawn)
    if (score >= winner - limits.margin) found.push({ id, score })
  }
  found.sort((a, b) => (goesBefore(a.score, a.id, b.score, b.id) ? -1 : 1))
  return found
    .slice(0, limits.most)
    .map(({ id }) => id)
    .sort((a, b) => a - b)
}

/**
 * Ids whose values would probably settle what the filters keep: those with the highest combined scores among the
 * unknown ids.
 *
 * @param expected as in `wantedIds`
 * @returns at most `most` ids, highest first
 */
export function borderIds(
  expected: Float32Array,
  scoring: Scoring,
  known: ReadonlySet<number>,
  most: number
): number[] {
  const scores = Float64Array.from(scoring.offset, (_, id) =>
    known.has(id) ? Number.NEGATIVE_INFINITY : scaledScore(scoring, expected[id]!, id)
  )
  return highestIds(scores, most).filter((id) => !known.has(id))
}

/** Logarithm of a row's mass outside of `reported`, up to the row's own constant. */
function logTail(row: Float32Array, reported: ReadonlySet<number>): number {
  let highest = Number.NEGATIVE_INFINITY
  for (const value of row) if (value > highest) highest = value
  let sum = 0
  for (const [id, value] of row.entries()) if (!reported.has(id)) sum += Math.exp(value - highest)
  return highest + Math.log(sum)
}
