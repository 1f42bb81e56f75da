import { NOISE_MAX } from './gumbel-noise.ts'
import type { RemoteRow } from './remote-row.ts'
import { goesBefore, isFiltered, noiseOf, type Scoring, scaledScore } from './scoring.ts'

/**
 * The token of a position whose complete remote row is known: argmax of (log p + offset) / T + G over the ids that the
 * filters keep; ties go to the lowest id. This is the definition that all other decoding must reproduce.
 *
 * @param row log-probabilities up to a constant, [vocabularySize]
 * @throws {Error} if every id has probability 0
 */
export function decide(row: RemoteRow, scoring: Scoring): number {
  const noise = noiseOf(scoring)
  const most = scoring.settings.temperature === 0 ? 0 : NOISE_MAX
  let best = -1
  let bestScore = Number.NEGATIVE_INFINITY
  const consider = (id: number, scaled: number): void => {
    // Noise is expensive, so it is skipped if even the largest value could not make this id win.
    if (scaled === Number.NEGATIVE_INFINITY || scaled + most < bestScore) return
    const score = scaled + noise(id)
    if (best >= 0 && !goesBefore(score, id, bestScore, best)) return
    best = id
    bestScore = score
  }
  if (isFiltered(scoring.settings))
    for (const { id, scaled } of allowedIds(row, scoring)) consider(id, scaled)
  else for (let id = 0; id < row.length; id++) consider(id, scaledScore(scoring, row[id]!, id))
  if (best < 0) throw new Error('every id has probability 0')
  return best
}

/** An id and its combined score divided by the temperature. */
export interface ScaledId {
  readonly id: number
  readonly scaled: number
}

/**
 * The ids that the filters keep, highest first: first top-k, then the fewest of these that reach top-p of their
 * combined probability, then those with at least min-p of the highest probability.
 */
export function allowedIds(row: RemoteRow, scoring: Scoring): ScaledId[] {
  const { topK = row.length, topP = 1, minP = 0 } = scoring.settings
  let all: ScaledId[] = []
  let highest = Number.NEGATIVE_INFINITY
  for (let id = 0; id < row.length; id++) {
    const scaled = scaledScore(scoring, row[id]!, id)
    if (scaled === Number.NEGATIVE_INFINITY) continue
    all.push({ id, scaled })
    if (scaled > highest) highest = scaled
  }
  const share = ({ scaled }: ScaledId): number => Math.exp(scaled - highest)
  const sum = (ids: readonly ScaledId[]): number => ids.reduce((total, id) => total + share(id), 0)
  const limited = topK < all.length
  let total = 0
  if (!limited && topP < 1) {
    total = sum(all)
    // Even together these have less probability than top-p drops.
    const negligible = ((1 - topP) * total) / (2 * all.length)
    all = all.filter((id) => share(id) >= negligible)
  }
  const order = all.sort(highestFirst).slice(0, topK)
  if (limited && topP < 1) total = sum(order)
  let kept = 0
  let count = 0
  while (count < order.length && (topP === 1 || kept < topP * total)) kept += share(order[count++]!)
  const lowest = highest + Math.log(minP)
  return order.slice(0, count).filter(({ scaled }) => scaled >= lowest)
}

export function highestFirst(a: ScaledId, b: ScaledId): number {
  return b.scaled - a.scaled || a.id - b.id
}
