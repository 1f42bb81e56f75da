import { float16ToFloat32, float32ToFloat16 } from '../../formats/elements/half-floats.ts'

/** How a log-probability crosses the line. */
export type Precision = 'float16' | 'float32'

/**
 * Log-probabilities of one position as the line carries them, less that of the likeliest id, which therefore has 0;
 * [vocabularySize]. They define the remote's distribution: p(x) ∝ exp(row[x]). −∞ is a probability of 0.
 */
export type RemoteRow = Float32Array

/** What a remote tells of one position. */
export interface PartialRow {
  /** Ids that are known, with their values in the same order. */
  readonly ids: readonly number[]
  readonly values: readonly number[]
  /** No other id's value is above this: the lowest of the top k. −∞ where there is no other with a probability. */
  readonly least: number
  /** Sum of exp(value) over all other ids, rounded up to a float32; 0 only where no other id has a probability. */
  readonly tail: number
}

/** How a row is asked for. */
export interface RowRequest {
  /** Ids to tell, the likeliest ones. */
  readonly topK: number
  /** Further ids to tell; ascending, without repeats. */
  readonly wanted?: readonly number[]
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
    row[id] = precision === 'float32' ? relative : float16ToFloat32(float32ToFloat16(relative))
  }
  return row
}

/** The part of a row that is asked for. Of equal values at the border the lowest ids are told. */
export function partialRow(row: RemoteRow, { topK, wanted = [] }: RowRequest): PartialRow {
  const top = highestIds(row, topK)
  const known = new Set(top)
  const ids = [...top]
  for (const id of wanted)
    if (!known.has(id)) {
      known.add(id)
      ids.push(id)
    }
  let tail = 0
  let possible = false
  for (let id = 0; id < row.length; id++) {
    if (known.has(id) || row[id] === Number.NEGATIVE_INFINITY) continue
    possible = true
    tail += Math.exp(row[id]!)
  }
  const values = ids.map((id) => row[id]!)
  return {
    ids,
    values,
    least: possible ? row[top.at(-1)!]! : Number.NEGATIVE_INFINITY,
    tail: possible ? roundedUp(tail) : 0
  }
}

/** The k ids with the highest values, highest first, of equal ones the lowest id first. */
export function highestIds(row: ArrayLike<number>, k: number): number[] {
  const count = Math.min(k, row.length)
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
