import { createSeededRandom } from '../../../data/order/seeded-random.ts'
import type { TokenText } from '../token-model.ts'

/** Tokens computed in batches of several lengths. */
const TOKENS = 48
const PARTS = [1, 3, 5, 9, 17]
/** Only values within this distance of the highest, which could win, are compared, nats. */
const COMPARED_NATS = 16
/** Safety factor: the maximum of a sample underestimates the true maximum. */
const SAMPLE_FACTOR = 2

/**
 * Largest difference of a log-probability between batches of different lengths, nats. Compares the same tokens computed
 * in one batch and in parts, relative to the most likely id, on a sample, and doubles the largest difference.
 *
 * @param start a new text of the model
 */
export async function measureBatchError(
  start: () => TokenText,
  vocabularySize: number,
  context: number
): Promise<number> {
  const random = createSeededRandom(1)
  const ids = Array.from({ length: Math.min(TOKENS, context) }, () =>
    Math.floor(random.uniform() * vocabularySize)
  )
  const whole = await rowsInParts(start(), ids, ids.length)
  let largest = 0
  for (const part of PARTS) {
    const rows = await rowsInParts(start(), ids, part)
    for (const [place, row] of rows.entries()) largest = Math.max(largest, differenceOf(row, whole[place]!))
  }
  return SAMPLE_FACTOR * largest
}

async function rowsInParts(text: TokenText, ids: readonly number[], part: number): Promise<Float32Array[]> {
  const rows: Float32Array[] = []
  for (let from = 0; from < ids.length; from += part) {
    const added = ids.slice(from, from + part)
    rows.push(...(await text.appendRows(added, added.length)))
  }
  return rows
}

function differenceOf(a: Float32Array, b: Float32Array): number {
  const [highestA, highestB] = [a, b].map((row) => row.reduce((most, value) => Math.max(most, value)))
  let largest = 0
  for (const [id, value] of a.entries())
    if (value > highestA! - COMPARED_NATS)
      largest = Math.max(largest, Math.abs(value - highestA! - (b[id]! - highestB!)))
  return largest
}
