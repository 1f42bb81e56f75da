import type { ScaledId } from './decide.ts'
import { drawnBound, type KnownScores, knownScores, otherMass, SUM_SLACK } from './known-scores.ts'
import type { PartialRow } from './remote-row.ts'
import { isFiltered, noiseOf, type Scoring } from './scoring.ts'

/**
 * Whether another answer of the same remote might decide otherwise: another id that the filters might leave scores within
 * the distance by which two scores can move against each other, or the winner itself might be left out.
 *
 * Ids that were not told count with the most that their score can be, so that rather too many positions are near ties than
 * too few.
 *
 * @param id the token that the row decides for certain
 * @param error largest difference of a log-probability between two answers, nats
 */
export function isNearTie(row: PartialRow, scoring: Scoring, id: number, error: number): boolean {
  if (error === 0) return false
  const { settings } = scoring
  // Two values can be off in opposite directions.
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

/** What the filters do with an id, whichever way the scores move. */
interface MovingFilters {
  surelyIn(entry: ScaledId): boolean
  maybeIn(entry: ScaledId): boolean
}

function filtersOf(scores: KnownScores, scoring: Scoring, tail: number, distance: number): MovingFilters {
  const { known, others } = scores
  const { topK = known.length + others.length, topP = 1, minP = 0 } = scoring.settings
  const highest = known[0]!.scaled
  const told = orderOf(known, highest)
  const untold = orderOf(others, highest)
  // As `topPBorder` of a certificate: others have their bounds at most, and the tail together.
  const mass = otherMass(scores, scoring, tail, highest)
  const slack = Math.exp(2 * distance) * (1 + SUM_SLACK)
  return {
    surelyIn({ scaled }) {
      const least = scaled - distance * (1 + SUM_SLACK) - SUM_SLACK * Math.abs(scaled)
      const [before, mayBeBefore] = [told.above(least) - 1, untold.above(least)]
      if (before + mayBeBefore >= topK || scaled < highest + Math.log(minP) + distance) return false
      if (topP === 1 || before + mayBeBefore === 0) return true
      const own = told.massOf(before + 1) - Math.exp(scaled - highest)
      return (own + mass.ofHighest(mayBeBefore) * (1 - topP)) * slack < topP * told.massOf(topK)
    },
    maybeIn({ scaled }) {
      const before = told.above(scaled + distance)
      if (before >= topK || scaled < highest + Math.log(minP) - distance * (1 + SUM_SLACK)) return false
      return topP === 1 || told.massOf(before) < topP * (told.massOf(topK) + mass.all) * slack
    }
  }
}

/** Ids in the order of their scores. */
interface Order {
  /** Ids whose score is above. */
  above(score: number): number
  /** Of the first ids, relative to exp(highest). */
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
