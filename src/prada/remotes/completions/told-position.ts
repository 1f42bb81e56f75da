import type { PositionRecord, PositionRequest } from '../../wire/index.ts'
import { TransportError } from '../logits-transport.ts'

/** A token with the log-probability that a server told of it. */
export interface ToldToken {
  /** Undefined where its name fits no id of the proxy, or several. */
  readonly id: number | undefined
  /** Natural logarithm, at most 0. */
  readonly logProbability: number
}

/** What a server told of one position. */
export interface ToldPosition {
  /** The token that it took; undefined where it told none that is known here. */
  readonly taken: number | undefined
  /** The likeliest tokens and the taken one, each once. */
  readonly tokens: readonly ToldToken[]
  /** Whether tokens may be missing among the likeliest, as several had one name. */
  readonly incomplete: boolean
}

/** Room for the rounding of a server's sum of probabilities. */
const MASS_SLACK = 2 ** -16
/** A value above this is not a log-probability. */
const LOG_PROBABILITY_MAX = 1e-3

/**
 * What a position's told tokens say of all others, as a record. Its values are the server's, relative to the highest and as
 * float32. Tokens that fit no id are others: no other id has more than the highest of them, and all their probability
 * counts as the others'.
 *
 * @param size ids that count
 * @param topK likeliest tokens that were asked for
 * @throws {TransportError} `garbage`, when it cannot be what was asked for
 */
export function recordOf(
  { tokens, incomplete }: ToldPosition,
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
      if (known.has(id)) throw new TransportError('garbage', `token ${id} is told twice`)
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
    throw new TransportError('garbage', `the likeliest ${tokens.length} tokens, where ${topK} were asked for`)
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
      // Of tokens that are missing among the likeliest only the tail says how likely they can be.
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
