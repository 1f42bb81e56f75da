import type { ScaledId } from './decide.ts'
import { knownScores } from './known-scores.ts'
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
  const filters = isFiltered(settings) ? filtersOf(scores.known, all, scoring, distance) : undefined
  if (filters?.surelyIn(winner) === false) return true
  return all.some(
    (entry) =>
      entry.id !== id &&
      entry.scaled + noise(entry.id) >= best - distance &&
      filters?.maybeIn(entry) !== false
  )
}

/** What the filters do with an id, whichever way the scores move. */
interface MovingFilters {
  surelyIn(entry: ScaledId): boolean
  maybeIn(entry: ScaledId): boolean
}

function filtersOf(
  known: readonly ScaledId[],
  all: readonly ScaledId[],
  { settings: { topK = all.length, topP = 1, minP = 0 } }: Scoring,
  distance: number
): MovingFilters {
  const highest = known[0]!.scaled
  // Ids that were not told may have all that their bounds allow, or nothing.
  const most = orderOf(all, highest)
  const least = orderOf(known, highest)
  const slack = Math.exp(2 * distance)
  return {
    surelyIn({ scaled }) {
      const rank = most.above(scaled - distance - Number.EPSILON) - 1
      if (rank >= topK || scaled < highest + Math.log(minP) + distance) return false
      const mass = most.massOf(rank + 1) - Math.exp(scaled - highest)
      return topP === 1 || rank <= 0 || mass * slack < topP * least.massOf(topK)
    },
    maybeIn({ scaled }) {
      const rank = least.above(scaled + distance)
      if (rank >= topK || scaled < highest + Math.log(minP) - distance) return false
      return topP === 1 || least.massOf(rank) < topP * most.massOf(topK) * slack
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
