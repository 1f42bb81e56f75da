import type { ScaledId } from './decide.ts'
import { drawnBound, type KnownScores, knownScores, otherMass, SUM_SLACK } from './known-scores.ts'
import type { PartialRow } from './remote-row.ts'
import { isFiltered, noiseOf, type Scoring } from './scoring.ts'

/**
 * Whether another answer of the same remote might lead to a different decision: another id that the filters might keep
 * scores within the distance by which two scores can shift against each other, or the filters might drop the winner.
 *
 * Unreported ids count with the upper bound of their score, so too many positions are treated as near ties rather than too
 * few.
 *
 * @param id the token that the row determines with certainty
 * @param error largest difference of a log-probability between two answers, nats
 */
export function isNearTie(row: PartialRow, scoring: Scoring, id: number, error: number): boolean {
  if (error === 0) return false
  const { settings } = scoring
  // Two values can err in opposite directions.
  const distance = (2 * error) / (settings.temperature === 0 ? 1 : settings.temperature)
  const noise = noiseOf(scoring)
  const scores = knownScores(row, scoring)
  const all = [...scores.known, ...scores.others]
  const winner = all.find((entry) => entry.id === id)!
  const best = winner.scaled + noise(id)
  const filters = isFiltered(settings) ? filtersOf(scores, scoring, row.tail, distance) : undefined
  if (filters?.surelyIn(winner) === false) return true
  const reaches = (entry: ScaledId, score: number): boolean =>
    entry.id !== id && score >= best - distance && filters?.maybeIn(entry) !== false
  return (
    scores.known.some((entry) => reaches(entry, entry.scaled + noise(entry.id))) ||
    scores.others.some((entry) => {
      const drawn = drawnBound(scores.drawBound, scoring, entry.id)
      return reaches(entry, Math.min(entry.scaled + noise(entry.id), drawn))
    })
  )
}

/** What the filters do with an id for every possible shift of the scores. */
interface MovingFilters {
  surelyIn(entry: ScaledId): boolean
  maybeIn(entry: ScaledId): boolean
}

function filtersOf(scores: KnownScores, scoring: Scoring, tail: number, distance: number): MovingFilters {
  const { known, others } = scores
  const { topK = known.length + others.length, topP = 1, minP = 0 } = scoring.settings
  const highest = known[0]!.scaled
  const reported = orderOf(known, highest)
  const unreported = orderOf(others, highest)
  // As in `topPBorder` of a certificate: each other id is at most its bound, and all together at most the tail.
  const mass = otherMass(scores, scoring, tail, highest)
  const slack = Math.exp(2 * distance) * (1 + SUM_SLACK)
  return {
    surelyIn({ scaled }) {
      const least = scaled - distance * (1 + SUM_SLACK) - SUM_SLACK * Math.abs(scaled)
      const [before, mayBeBefore] = [reported.above(least) - 1, unreported.above(least)]
      if (before + mayBeBefore >= topK || scaled < highest + Math.log(minP) + distance) return false
      if (topP === 1 || before + mayBeBefore === 0) return true
      const own = reported.massOf(before + 1) - Math.exp(scaled - highest)
      return (own + mass.ofHighest(mayBeBefore) * (1 - topP)) * slack < topP * reported.massOf(topK)
    },
    maybeIn({ scaled }) {
      const before = reported.above(scaled + distance)
      if (before >= topK || scaled < highest + Math.log(minP) - distance * (1 + SUM_SLACK)) return false
      return topP === 1 || reported.massOf(before) < topP * (reported.massOf(topK) + mass.all) * slack
    }
  }
}

/** Ids in score order. */
interface Order {
  /** Number of ids with a higher score. */
  above(score: number): number
  /** Mass of the first ids, relative to exp(highest). */
  massOf(count: number): number
}

function orderOf(entries: readonly ScaledId[], highest: number): Order {
  const negated = Float64Array.from(entries, ({ scaled }) => -scaled).sort()
  const mass = new Float64Array(negated.length + 1)
  for (const [rank, value] of negated.entries()) mass[rank + 1] = mass[rank]! + Math.exp(-value - highest)
  return {
    above(score) {
      let [low, high] = [0, negated.length]
      while (low < high) {
        const middle = (low + high) >>> 1
        if (-negated[middle]! > score) low = middle + 1
        else high = middle
      }
      return low
    },
    massOf: (count) => mass[Math.min(count, negated.length)]!
  }
}
