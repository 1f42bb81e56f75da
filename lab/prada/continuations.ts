import type { TokenModel, TokenText } from '../../src/prada/index.ts'

/** Scores of the next token, from one row of each model, [at least size]. */
export type Combine = (rows: readonly Float32Array[]) => ArrayLike<number>

/** A single model. */
export const ALONE: Combine = ([row]) => row!

/** A remote with base and adapted proxy, combined by the logits offset for greedy decoding. */
export function steered(size: number): Combine {
  const scores = new Float64Array(size)
  return ([remote, base, adapted]) => {
    for (let id = 0; id < size; id++) scores[id] = remote![id]! + adapted![id]! - base![id]!
    return scores
  }
}

/**
 * How well greedy continuations predict a document. After every `stride` tokens the models continue by `length` tokens,
 * and the number of tokens that match the document, up to the first mismatch, is counted.
 *
 * @returns mean number of matching tokens; undefined if the document is too short for one continuation
 */
export async function agreement(
  models: readonly TokenModel[],
  combine: Combine,
  document: readonly number[],
  { stride, length }: { readonly stride: number; readonly length: number }
): Promise<number | undefined> {
  const texts = models.map((model) => model.start())
  let places = 0
  let agreeing = 0
  for (let place = stride; place + length <= document.length; place += stride) {
    let rows = await append(texts, document.slice(place - stride, place))
    places++
    for (let ahead = 0; ahead < length; ahead++) {
      const next = highest(combine(rows))
      if (next !== document[place + ahead]) break
      agreeing++
      if (ahead + 1 < length) rows = await append(texts, [next])
    }
    for (const text of texts) text.truncate(place)
  }
  return places === 0 ? undefined : agreeing / places
}

async function append(texts: readonly TokenText[], ids: readonly number[]): Promise<Float32Array[]> {
  const rows: Float32Array[] = []
  for (const text of texts) rows.push(Float32Array.from((await text.appendRows(ids, 1))[0]!))
  return rows
}

/** The id with the highest score; ties go to the lowest id. */
function highest(scores: ArrayLike<number>): number {
  let best = 0
  for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[best]!) best = id
  return best
}
