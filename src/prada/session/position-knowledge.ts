import {
  decide,
  type Interval,
  isNearTie,
  judge,
  type LikelyId,
  likeliestIds,
  logProbability,
  type PartialRow,
  partialRow,
  type RemoteRow,
  rowLogProbabilities,
  type Scoring,
  type Verdict
} from '../core/index.ts'
import { RemoteError } from '../remotes/remote.ts'
import type { PositionRecord } from '../wire/index.ts'

/** What several answers have told of one position. */
export type Knowledge =
  | { readonly kind: 'row'; readonly row: RemoteRow }
  | { readonly kind: 'part'; readonly part: PartialRow }

/** Errors that two answers may lie apart, as the error is measured on a sample alone. */
const ANSWERS_APART = 8

export function verdictOf(knowledge: Knowledge, scoring: Scoring): Verdict {
  if (knowledge.kind === 'part') return judge(knowledge.part, scoring)
  return { kind: 'certain', id: decide(knowledge.row, scoring) }
}

/** Whether another answer of the remote, up to `error` nats off, might give another token. */
export function nearTie(knowledge: Knowledge, scoring: Scoring, id: number, error: number): boolean {
  if (error === 0) return false
  const part =
    knowledge.kind === 'part' ? knowledge.part : partialRow(knowledge.row, { topK: knowledge.row.length })
  return isNearTie(part, scoring, id, error)
}

/** What is known of the probabilities behind a token. */
export interface TokenProbabilities {
  readonly logProbability?: Interval
  readonly likeliest?: readonly LikelyId[]
}

/**
 * The log-probability of a token under the combined distribution, and those of the likeliest ids where all are known.
 *
 * @param alternatives how many of the likeliest ids to tell of
 */
export function probabilitiesOf(
  knowledge: Knowledge,
  scoring: Scoring,
  id: number,
  alternatives: number
): TokenProbabilities {
  if (knowledge.kind === 'part') {
    const interval = logProbability(knowledge.part, scoring, id)
    return interval === undefined ? {} : { logProbability: interval }
  }
  const all = rowLogProbabilities(knowledge.row, scoring)
  return {
    logProbability: { low: all[id]!, high: all[id]! },
    ...(alternatives > 0 && { likeliest: likeliestIds(all, alternatives) })
  }
}

/**
 * What two answers tell of a position together: both hold, so that the ids of both are known and each bound holds for
 * what is left. Of a remote whose answers differ a little the later one counts alone.
 *
 * @param error largest difference of a log-probability between two answers, nats
 * @throws {RemoteError} `changed`, when they tell different values of an id
 */
export function joined(before: Knowledge | undefined, record: PositionRecord, error: number): Knowledge {
  if (record.kind === 'row' || before === undefined) return record
  if (before.kind === 'row') return before
  const known = new Map(before.part.ids.map((id, place) => [id, before.part.values[place]!]))
  for (const [place, id] of record.part.ids.entries()) {
    const value = record.part.values[place]!
    if (Math.abs((known.get(id) ?? value) - value) > ANSWERS_APART * error)
      throw new RemoteError(
        'changed',
        `the remote told two values of id ${id} at one position: it is not the model that it was`
      )
    known.set(id, value)
  }
  if (error > 0) return record
  return {
    kind: 'part',
    part: {
      ids: [...known.keys()],
      values: [...known.values()],
      least: Math.min(before.part.least, record.part.least),
      tail: Math.min(before.part.tail, record.part.tail),
      drawn: Math.max(before.part.drawn, record.part.drawn)
    }
  }
}
