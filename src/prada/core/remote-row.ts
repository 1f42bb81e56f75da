import { float16ToFloat32, float32ToFloat16 } from '../../formats/elements/half-floats.ts'
import { NOISE_MAX, type Noise } from './gumbel-noise.ts'

/** Wire format of a log-probability. */
export type Precision = 'float16' | 'float32'

/**
 * Log-probabilities of one position as sent, relative to the most likely id, which therefore has 0; [vocabularySize].
 * They define the remote's distribution: p(x) ∝ exp(row[x]). −∞ means probability 0.
 */
export type RemoteRow = Float32Array

/**
 * Noise of a draw that the remote knows as well. The remote can then report the ids that are most likely to win: those
 * with the highest value / T + G, before the offset, which it does not know.
 */
export interface SharedDraw {
  /** Number of ids to report. */
  readonly count: number
  /** Above 0. */
  readonly temperature: number
  readonly noise: Noise
}

/**
 * How many more ids a record reports by rank if the draw's winner, before the offset, is not the most likely id. Few ids
 * settle a filter if the winner is among the most likely ids, and many if it is near the cut-off.
 */
export interface RankReach {
  /** Further ids for every rank of the winner below the most likely id. */
  readonly perRank: number
  /** Maximum number of ids by rank. */
  readonly most: number
}

/** What a remote reports about one position. */
export interface PartialRow {
  /** Known ids, with their values in the same order. */
  readonly ids: readonly number[]
  readonly values: readonly number[]
  /** Upper bound of every other id's value: the lowest of the top k; −∞ if all other ids have probability 0. */
  readonly least: number
  /** Sum of exp(value) over all other ids, rounded up to a float32; 0 only if they all have probability 0. */
  readonly tail: number
  /**
   * Number of ids with the highest value / T + G that are among the known ones; 0 if the remote did not know the noise.
   * No other id exceeds the lowest of them.
   */
  readonly drawn: number
}

/** Which part of a row is requested. */
export interface RowRequest {
  /** Number of most likely ids to report. */
  readonly topK: number
  /**
   * Number of the most likely among these to leave out because they are known already; less than the vocabulary size; 0
   * if absent.
   */
  readonly skip?: number
  /** Further ids to report; ascending, without duplicates. */
  readonly wanted?: readonly number[]
  /** Further ids to report: those most likely to win. */
  readonly draw?: SharedDraw
}

/**
 * Logits as they are sent: relative to the highest, and rounded. Every step (the difference, its rounding to float32
 * and to float16) is monotone, so ids keep their order, apart from ties.
 *
 * @param logits [at least size]; −∞ bans an id
 * @throws {Error} if a logit is NaN or +∞, or none is finite
 */
export function remoteRow(logits: ArrayLike<number>, size: number, precision: Precision): RemoteRow {
  const row = new Float32Array(size)
  let highest = Number.NEGATIVE_INFINITY
  for (let id = 0; id < size; id++) {
    const value = logits[id]!
    if (Number.isNaN(value) || value === Number.POSITIVE_INFINITY)
      throw new Error(`the model's logit of id ${id} is ${value}`)
    if (value > highest) highest = value
  }
  if (highest === Number.NEGATIVE_INFINITY) throw new Error('the model gives every id probability 0')
  for (let id = 0; id < size; id++) {
    const relative = Math.fround(logits[id]! - highest)
    // −0 becomes 0, as it is sent.
    row[id] = precision === 'float32' ? relative : float16ToFloat32(float32ToFloat16(relative)) + 0
  }
  return row
}

/**
 * The requested part of a row: the top k, highest first, then the ids of the draw that are not among them, then the
 * wanted ids. Ties at a cut-off go to the lowest ids. Skipped ids count neither among the ids nor in the tail: the
 * bounds hold for a receiver that already knows them.
 */
export function partialRow(row: RemoteRow, { topK, skip = 0, wanted = [], draw }: RowRequest): PartialRow {
  const top = highestIds(row, topK)
  const known = new Set(top)
  for (const id of draw === undefined ? [] : drawnIds(row, draw)) known.add(id)
  for (const id of wanted) known.add(id)
  let tail = 0
  let possible = false
  for (let id = 0; id < row.length; id++) {
    if (known.has(id) || row[id] === Number.NEGATIVE_INFINITY) continue
    possible = true
    tail += Math.exp(row[id]!)
  }
  // A set keeps insertion order.
  const ids = [...known].slice(Math.min(skip, top.length))
  return {
    ids,
    values: ids.map((id) => row[id]!),
    least: possible ? row[top.at(-1)!]! : Number.NEGATIVE_INFINITY,
    tail: possible ? roundedUp(tail) : 0,
    drawn: draw?.count ?? 0
  }
}

/** Number of ids to report by rank, up to the limit of a reach; at least `topK`. */
export function reachedRanks(
  row: RemoteRow,
  topK: number,
  { temperature, noise }: SharedDraw,
  { perRank, most }: RankReach
): number {
  const [winner] = drawnIds(row, { count: 1, temperature, noise })
  const value = row[winner!]!
  let above = 0
  for (let id = 0; id < row.length; id++) if (row[id]! > value || (row[id] === value && id < winner!)) above++
  return Math.max(topK, Math.min(most, topK + perRank * above))
}

/** The ids most likely to win a draw, best first. */
export function drawnIds(row: RemoteRow, { count, temperature, noise }: SharedDraw): number[] {
  const scores = new Float64Array(row.length).fill(Number.NEGATIVE_INFINITY)
  // A lower bound of the last score that counts. Noise is expensive, and most ids cannot reach it.
  const place = highestIds(row, count).reduce(
    (lowest, id) => Math.min(lowest, drawScore(row[id]!, id, temperature, noise)),
    Number.POSITIVE_INFINITY
  )
  for (let id = 0; id < row.length; id++)
    if (row[id]! / temperature + NOISE_MAX >= place) scores[id] = drawScore(row[id]!, id, temperature, noise)
  return highestIds(scores, count)
}

/** value / T + G. */
export function drawScore(value: number, id: number, temperature: number, noise: Noise): number {
  return value / temperature + noise(id)
}

/** Maximum number of ids found by insertion; larger counts are sorted. */
const INSERTED_MAX = 256

/** The k ids with the highest values, highest first; ties go to the lowest id. */
export function highestIds(row: ArrayLike<number>, k: number): number[] {
  const count = Math.min(k, row.length)
  if (count > INSERTED_MAX)
    return Array.from({ length: row.length }, (_, id) => id)
      .sort((a, b) => row[b]! - row[a]! || a - b)
      .slice(0, count)
  const ids: number[] = []
  for (let id = 0; id < row.length; id++) {
    const value = row[id]!
    if (ids.length === count && value <= row[ids[count - 1]!]!) continue
    let place = Math.min(ids.length, count - 1)
    while (place > 0 && row[ids[place - 1]!]! < value) {
      ids[place] = ids[place - 1]!
      place--
    }
    ids[place] = id
  }
  return ids
}

/**
 * A float32 no less than a sum of positive float64 terms. The sum's own relative error is below 2^−30 for up to 2^22
 * terms. Terms too small for a float64 vanish, so 0 becomes the smallest float32.
 */
function roundedUp(sum: number): number {
  const wanted = sum * (1 + 2 ** -30)
  const near = Math.fround(wanted)
  return near > wanted ? near : Math.fround(near + Math.max(near * 2 ** -23, 2 ** -149))
}
