import { highestIds, type RemoteRow } from './remote-row.ts'
import type { Scoring } from './scoring.ts'

/**
 * Log-probabilities of all ids under the combined distribution at temperature 1, before any filter, from a complete
 * row.
 *
 * @param row log-probabilities up to a constant, [vocabularySize]
 * @returns [vocabularySize], nats; −∞ for an id with probability 0
 */
export function rowLogProbabilities(row: RemoteRow, { offset }: Pick<Scoring, 'offset'>): Float64Array {
  const scores = Float64Array.from(row, (value, id) => value + offset[id]!)
  const highest = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY)
  const sum = scores.reduce((total, score) => total + Math.exp(score - highest), 0)
  const normaliser = highest + Math.log(sum)
  return scores.map((score) => score - normaliser)
}

/** An id and its log-probability, nats. */
export interface LikelyId {
  readonly id: number
  readonly logProbability: number
}

/** The `count` most likely ids, most likely first; ties go to the lowest id, and ids with probability 0 are omitted. */
export function mostLikelyIds(logProbabilities: Float64Array, count: number): LikelyId[] {
  return highestIds(logProbabilities, count)
    .map((id) => ({ id, logProbability: logProbabilities[id]! }))
    .filter(({ logProbability }) => logProbability > Number.NEGATIVE_INFINITY)
}
