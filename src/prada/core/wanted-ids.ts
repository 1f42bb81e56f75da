import { NOISE_MAX } from './gumbel-noise.ts'
import { drawnBound } from './known-scores.ts'
import { drawnIds, drawScore, highestIds } from './remote-row.ts'
import { goesBefore, noiseOf, type Scoring, scaledScore } from './scoring.ts'

/** How many ids to ask for before the remote's answer is known. */
export interface WantedLimits {
  /** Top k of the request. */
  readonly topK: number
  /** Ids that the remote tells because it knows the noise; 0 where it does not. */
  readonly drawn: number
  /** Most ids to ask for. */
  readonly most: number
  /** Ids are asked for whose score may come within this of the expected winner's, nats over the temperature. */
  readonly margin: number
}

/**
 * Ids that could win a position, chosen from what is known before the trip: `expected`, a row like the one that the
 * remote is going to send (the base proxy's), says where the top k will end and about how high the winner will be;
 * offset and noise are exact. An id that
 * is not expected to be told counts with the most that it could have.
 *
 * Whatever is chosen, the decision stays exact: a bad choice costs another trip.
 *
 * @param expected logits or log-probabilities up to a constant, [at least the vocabulary's size]
 * @returns ids in ascending order, at most `limits.most`
 */
export function wantedIds(expected: Float32Array, scoring: Scoring, limits: WantedLimits): number[] {
  const size = scoring.offset.length
  if (limits.most === 0) return []
  const row = expected.subarray(0, size)
  const top = highestIds(row, limits.topK)
  const told = new Set(top)
  const least = Math.min(row[top.at(-1)!]!, logTail(row, told))
  const noise = noiseOf(scoring)
  const { temperature } = scoring.settings
  let drawBound = Number.POSITIVE_INFINITY
  if (limits.drawn > 0 && temperature > 0) {
    const drawn = drawnIds(row, { count: limits.drawn, temperature, noise })
    for (const id of drawn) told.add(id)
    drawBound = drawScore(row[drawn.at(-1)!]!, drawn.at(-1)!, temperature, noise)
  }
  const most = scoring.settings.temperature === 0 ? 0 : NOISE_MAX

  let winner = Number.NEGATIVE_INFINITY
  for (const id of told) winner = Math.max(winner, scaledScore(scoring, row[id]!, id) + noise(id))
  const found: { id: number; score: number }[] = []
  for (let id = 0; id < size; id++) {
    const scaled = scaledScore(scoring, told.has(id) ? row[id]! : least, id)
    if (scaled + most < winner - limits.margin) continue
    const drawn = told.has(id) ? Number.POSITIVE_INFINITY : drawnBound(drawBound, scoring, id)
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
 * Ids whose values would settle what the filters leave, as far as can be expected: those with the highest combined scores
 * of which nothing is known.
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

/** Logarithm of what a row has outside of `told`, in the row's own constant. */
function logTail(row: Float32Array, told: ReadonlySet<number>): number {
  let highest = Number.NEGATIVE_INFINITY
  for (const value of row) if (value > highest) highest = value
  let sum = 0
  for (const [id, value] of row.entries()) if (!told.has(id)) sum += Math.exp(value - highest)
  return highest + Math.log(sum)
}
