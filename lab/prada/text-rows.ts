import type { TensorMap } from '../../src/formats/index.ts'
import type { BaseModel } from '../../src/model/index.ts'
import { createDecoderModel } from '../../src/prada/index.ts'

/** Logits behind the last tokens of some texts but for the very last, [text][position][at least vocabularySize]. */
export type TextRows = readonly (readonly Float32Array[])[]

/**
 * The logits of a model from which the tokens of each text follow.
 *
 * @param weights in place of the model's own
 * @param last how many tokens of a text's end are of interest; all but its first where it is absent
 */
export async function rowsOf(
  { config }: BaseModel,
  weights: TensorMap,
  texts: readonly (readonly number[])[],
  last = Number.POSITIVE_INFINITY
): Promise<TextRows> {
  const context = Math.max(...texts.map(({ length }) => length))
  const model = createDecoderModel({ config, weights, context })
  try {
    const rows: Float32Array[][] = []
    for (const text of texts) {
      const before = text.slice(0, -1)
      rows.push(await model.start().appendRows(before, Math.min(before.length, last)))
    }
    return rows
  } finally {
    await model.dispose()
  }
}

/** Consecutive windows of a text, each of them read without the others; a rest of one token is left out. */
export function windowsOf(ids: readonly number[], length: number): number[][] {
  const windows = Array.from({ length: Math.ceil(ids.length / length) }, (_, index) =>
    ids.slice(index * length, (index + 1) * length)
  )
  return windows.filter((window) => window.length > 1)
}
