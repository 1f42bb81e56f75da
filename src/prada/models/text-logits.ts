import { DRAFTS_MAX } from '../core/index.ts'
import type { TokenModel, TokenText } from './token-model.ts'

/** Cached rows: those of a trip and of the next one, which is drafted while the answer is pending. */
const ROWS_MAX = 2 * (DRAFTS_MAX + 1)

/** Logits after the prefixes of a text that grows and sometimes branches. */
export interface TextLogits {
  /**
   * The logits after the first `from`, `from + 1`, … `ids.length` tokens of a text. Rows that an earlier call computed
   * for the same prefix are reused. One call at a time.
   *
   * @param from from 1 to `ids.length`
   * @returns [ids.length − from + 1][at least vocabularySize]
   */
  rowsAfter(ids: readonly number[], from: number): Promise<readonly Float32Array[]>
}

/** Tracks one text of a model and caches the latest rows. */
export function createTextLogits(model: Pick<TokenModel, 'start'>): TextLogits {
  const text: TokenText = model.start()
  let held: number[] = []
  /** Keyed by the number of preceding tokens. */
  const rows = new Map<number, Float32Array>()

  const goBackTo = (length: number): void => {
    if (length === held.length) return
    text.truncate(length)
    held.length = length
    for (const place of rows.keys()) if (place > length) rows.delete(place)
  }

  return {
    async rowsAfter(ids, from) {
      if (from < 1 || from > ids.length)
        throw new RangeError(`from must be between 1 and ${ids.length}, got ${from}`)
      goBackTo(commonPrefix(held, ids))
      let first = from
      while (first <= held.length && rows.has(first)) first++
      // A row that is not cached needs the pass of its token.
      if (first <= held.length) goBackTo(first - 1)
      if (held.length < ids.length) {
        const added = ids.slice(held.length)
        const count = Math.min(added.length, ids.length - first + 1)
        const fresh = await text.appendRows(added, count)
        held = [...ids]
        for (const [index, row] of fresh.entries()) rows.set(ids.length - count + 1 + index, row)
      }
      const wanted = Array.from({ length: ids.length - from + 1 }, (_, index) => rows.get(from + index)!)
      for (const place of rows.keys()) if (place <= ids.length - ROWS_MAX) rows.delete(place)
      return wanted
    }
  }
}

/** Length of the common prefix of two texts. */
export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}
