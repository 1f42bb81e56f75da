import { DRAFTS_MAX } from '../core/index.ts'
import type { TokenModel, TokenText } from './token-model.ts'

/** Rows kept: those of a trip, and of the next one that is drafted while the answer is under way. */
const ROWS_MAX = 2 * (DRAFTS_MAX + 1)

/** Logits behind the prefixes of a text that grows, and now and then takes another turn. */
export interface TextLogits {
  /**
   * The logits behind the first `from`, `from + 1`, … `ids.length` tokens of a text; what an earlier call computed for the
   * same prefix is not computed again. One call at a time.
   *
   * @param from from 1 to `ids.length`
   * @returns [ids.length − from + 1][at least vocabularySize]
   */
  behind(ids: readonly number[], from: number): Promise<readonly Float32Array[]>
}

/** Follows one text of a model. The rows of the latest places are kept. */
export function createTextLogits(model: Pick<TokenModel, 'start'>): TextLogits {
  const text: TokenText = model.start()
  let held: number[] = []
  /** By number of tokens before. */
  const rows = new Map<number, Float32Array>()

  const goBackTo = (length: number): void => {
    if (length === held.length) return
    text.truncate(length)
    held.length = length
    for (const place of rows.keys()) if (place > length) rows.delete(place)
  }

  return {
    async behind(ids, from) {
      if (from < 1 || from > ids.length) throw new RangeError(`no row behind ${from} of ${ids.length} tokens`)
      goBackTo(commonPrefix(held, ids))
      let first = from
      while (first <= held.length && rows.has(first)) first++
      // A row that is not kept comes only with its token's pass.
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

/** Number of tokens that two texts begin with alike. */
export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}
