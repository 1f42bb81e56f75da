import type { TensorMap } from '../../src/formats/index.ts'
import type { BaseModel } from '../../src/model/index.ts'
import { createDecoderModel } from '../../src/prada/index.ts'

/**
 * Logits after the last tokens of several texts, except for the final token, [text][position][at least vocabularySize].
 */
export type TextRows = readonly (readonly Float32Array[])[]

/**
 * The logits of a model that predict the tokens of each text.
 *
 * @param weights replace the model's own
 * @param last number of tokens at the end of a text to predict; all but the first if absent
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

/** Consecutive windows of a text, each read separately; a final window of one token is omitted. */
export function windowsOf(ids: readonly number[], length: number): number[][] {
  const windows = Array.from({ length: Math.ceil(ids.length / length) }, (_, index) =>
    ids.slice(index * length, (index + 1) * length)
  )
  return windows.filter((window) => window.length > 1)
}
