import { float16ToFloat32, float32ToFloat16 } from '../../formats/elements/half-floats.ts'
import { NOISE_MAX, type Noise } from './gumbel-noise.ts'

/** How a log-probability crosses the line. */
export type Precision = 'float16' | 'float32'

/**
 * Log-probabilities of one position as the line carries them, less that of the likeliest id, which therefore has 0;
 * [vocabularySize]. They define the remote's distribution: p(x) ∝ exp(row[x]). −∞ is a probability of 0.
 */
export type RemoteRow = Float32Array

/**
 * The noise of a draw that the remote knows too. It can then tell the ids that are likeliest to win: those with the highest
 * value / T + G, before the offset that it does not know.
 */
export interface SharedDraw {
  /** Ids to tell. */
  readonly count: number
  /** Above 0. */
  readonly temperature: number
  readonly noise: Noise
}

/**
 * How much further down the ranks a record goes where the draw's winner, before the offset, is not the likeliest id. What
 * a filter leaves is settled by few ids where the winner is among the likeliest, and by many where it is near the border.
 */
export interface RankReach {
  /** Further ids for every rank that the winner is below the likeliest id. */
  readonly perRank: number
  /** Most ids by rank. */
  readonly most: number
}

/** What a remote tells of one position. */
export interface PartialRow {
  /** Ids that are known, with their values in the same order. */
  readonly ids: readonly number[]
  readonly values: readonly number[]
  /** No other id's value is above this: the lowest of the top k. −∞ where there is no other with a probability. */
  readonly least: number
  /** Sum of exp(value) over all other ids, rounded up to a float32; 0 only where no other id has a probability. */
  readonly tail: number
  /**
   * As many ids with the highest value / T + G are among the known ones; 0 where the remote did not know the noise. No
   * other id has more than the lowest of them.
   */
  readonly drawn: number
}

/** How a row is asked for. */
export interface RowRequest {
  /** Ids to tell, the likeliest ones. */
  readonly topK: number
  /** Of these the likeliest that are known already and left out; below the size of the vocabulary, 0 where it is absent. */
  readonly skip?: number
  /** Further ids to tell; ascending, without repeats. */
  readonly wanted?: readonly number[]
  /** Further ids to tell, the likeliest to win. */
  readonly draw?: SharedDraw
}

/**
 * Logits as the line carries them: relative to the highest, rounded. Every step is monotone (the difference, its
 * rounding to float32 and to float16), so that ids keep their order, apart from ties.
 *
 * @param logits [at least size]; −∞ bans an id
 * @throws {Error} when a logit is NaN or +∞, or none is finite
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
  if (highest === Number.NEGATIVE_INFINITY) throw new Error('the model gives no id a probability')
  for (let id = 0; id < size; id++) {
    const relative = Math.fround(logits[id]! - highest)
    // What rounds to −0 is 0, as the line has it.
    row[id] = precision === 'float32' ? relative : float16ToFloat32(float32ToFloat16(relative)) + 0
  }
  return row
}

/**
 * The part of a row that is asked for: the top k, highest first, then those of the draw that are not among them, then
 * those of the wanted ones. Of equal values at a border the lowest ids are told. What is left out is part of neither ids
 * nor tail: the bounds hold for those who know it.
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
  // A set keeps the order in which it was filled.
  const ids = [...known].slice(Math.min(skip, top.length))
  return {
    ids,
    values: ids.map((id) => row[id]!),
    least: possible ? row[top.at(-1)!]! : Number.NEGATIVE_INFINITY,
    tail: possible ? roundedUp(tail) : 0,
    drawn: draw?.count ?? 0
  }
}

/** Ids to tell by rank, as far as a reach goes; at least `topK`. */
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

/** The ids that are likeliest to win a draw, best first. */
export function drawnIds(row: RemoteRow, { count, temperature, noise }: SharedDraw): number[] {
  const scores = new Float64Array(row.length).fill(Number.NEGATIVE_INFINITY)
  // A lower bound of the last place that counts: noise is costly, and most ids cannot get there.
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

/** Most ids that are found by insertion; more are sorted. */
const INSERTED_MAX = 256

/** The k ids with the highest values, highest first, of equal ones the lowest id first. */
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
 * The float32 above a sum of positive float64 terms. The sum's own error is below 2^−30 of it for up to 2^22 terms; terms
 * that are too small for a float64 vanish, so that 0 becomes the smallest float32.
 */
function roundedUp(sum: number): number {
  const wanted = sum * (1 + 2 ** -30)
  const near = Math.fround(wanted)
  return near > wanted ? near : Math.fround(near + Math.max(near * 2 ** -23, 2 ** -149))
}
