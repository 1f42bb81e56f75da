import {
  decide,
  type Interval,
  isNearTie,
  judge,
  type LikelyId,
  logProbability,
  mostLikelyIds,
  type PartialRow,
  partialRow,
  type RemoteRow,
  rowLogProbabilities,
  type Scoring,
  type Verdict
} from '../core/index.ts'
import { RemoteError } from '../remotes/remote.ts'
import type { PositionRecord } from '../wire/index.ts'

/** What several answers have reported about one position. */
export type Knowledge =
  | { readonly kind: 'row'; readonly row: RemoteRow }
  | { readonly kind: 'part'; readonly part: PartialRow }

/** Multiple of the measured error by which two answers may differ, since the error is measured on a sample. */
const ANSWERS_APART = 8

export function verdictOf(knowledge: Knowledge, scoring: Scoring): Verdict {
  if (knowledge.kind === 'part') return judge(knowledge.part, scoring)
  return { kind: 'certain', id: decide(knowledge.row, scoring) }
}

/** Whether another answer of the remote that differs by up to `error` nats might lead to another token. */
export function nearTie(knowledge: Knowledge, scoring: Scoring, id: number, error: number): boolean {
  if (error === 0) return false
  const part =
    knowledge.kind === 'part' ? knowledge.part : partialRow(knowledge.row, { topK: knowledge.row.length })
  return isNearTie(part, scoring, id, error)
}

/** What is known about the probabilities at a token's position. */
export interface TokenProbabilities {
  readonly logProbability?: Interval
  readonly mostLikely?: readonly LikelyId[]
}

/**
 * The log-probability of a token under the combined distribution, and those of the most likely ids if all are known.
 *
 * @param alternatives number of most likely ids to report
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
    ...(alternatives > 0 && { mostLikely: mostLikelyIds(all, alternatives) })
  }
}

/**
 * Combines two answers about a position. Both hold, so the ids of both are known, and each bound holds for the
 * remaining ids. If the remote's answers vary slightly, only the later one counts.
 *
 * @param error largest difference of a log-probability between two answers, nats
 * @throws {RemoteError} `changed` if they report different values of an id
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
        `the remote reported two values of id ${id} at one position: its model has changed`
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
