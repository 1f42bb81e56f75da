import type { PositionRecord, PositionRequest } from '../../wire/index.ts'
import { TransportError } from '../logits-transport.ts'

/** A token and the log-probability that a server reported for it. */
export interface ReportedToken {
  /** Undefined if its name matches no id of the proxy or several. */
  readonly id: number | undefined
  /** Natural logarithm, at most 0. */
  readonly logProbability: number
}

/** What a server reported for one position. */
export interface ReportedPosition {
  /** The token that it chose; undefined if not reported or unknown to the proxy. */
  readonly taken: number | undefined
  /** The most likely tokens and the chosen one, each once. */
  readonly tokens: readonly ReportedToken[]
  /** Whether some of the most likely tokens may be missing because several had the same name. */
  readonly incomplete: boolean
}

/** Tolerance for rounding in a server's sum of probabilities. */
const MASS_SLACK = 2 ** -16
/** Values above this are not log-probabilities. */
const LOG_PROBABILITY_MAX = 1e-3

/**
 * Converts a reported position to a record that bounds all other tokens. Its values are the server's, relative to the
 * highest and as float32. Tokens that match no id count among the others: no other id exceeds the highest of them, and
 * all their probability is added to the tail.
 *
 * @param size number of ids in the shared vocabulary
 * @param topK number of most likely tokens requested
 * @throws {TransportError} `garbage` if it cannot be an answer to the request
 */
export function recordOf(
  { tokens, incomplete }: ReportedPosition,
  asked: PositionRequest,
  size: number,
  topK: number
): PositionRecord {
  const known = new Map<number, number>()
  let mass = 0
  let unknownMass = 0
  let unknownMost = Number.NEGATIVE_INFINITY
  for (const { id, logProbability } of tokens) {
    if (!(logProbability <= LOG_PROBABILITY_MAX))
      throw new TransportError('garbage', `a log-probability of ${logProbability}`)
    mass += Math.exp(logProbability)
    if (id !== undefined && id < size) {
      if (known.has(id)) throw new TransportError('garbage', `token ${id} is reported twice`)
      known.set(id, logProbability)
    } else if (id === undefined) {
      unknownMass += Math.exp(logProbability)
      unknownMost = Math.max(unknownMost, logProbability)
    }
  }
  if (mass > 1 + MASS_SLACK * 64)
    throw new TransportError('garbage', `probabilities that add up to ${mass.toFixed(4)}`)
  const rest = Math.max(0, 1 - mass) + MASS_SLACK
  if (!incomplete && tokens.length < topK && rest > 2 * MASS_SLACK)
    throw new TransportError('garbage', `${tokens.length} most likely tokens, but ${topK} were requested`)
  const highest = Math.max(Number.NEGATIVE_INFINITY, ...known.values())
  if (asked === 'row') return { kind: 'row', row: rowOf(known, size, highest) }
  const ranked = tokens.map(({ logProbability }) => logProbability).sort((a, b) => b - a)
  const tail = Math.fround(((rest + unknownMass) / Math.exp(highest)) * (1 + 2 ** -20))
  const lowest = Math.max(ranked[Math.min(topK, ranked.length) - 1] ?? 0, unknownMost)
  return {
    kind: 'part',
    part: {
      ids: [...known.keys()],
      values: [...known.values()].map((value) => Math.fround(value - highest)),
      // If some of the most likely tokens are missing, only the tail bounds their probability.
      least: incomplete ? Math.log(tail) + 2 ** -20 : Math.fround(lowest - highest),
      tail,
      drawn: 0
    }
  }
}

function rowOf(known: ReadonlyMap<number, number>, size: number, highest: number): Float32Array {
  const row = new Float32Array(size)
  for (let id = 0; id < size; id++) {
    const value = known.get(id)
    if (value === undefined) throw new TransportError('garbage', `a whole row without token ${id}`)
    row[id] = Math.fround(value - highest)
  }
  return row
}
