import type { TextRows } from './text-rows.ts'

/** The rows of the three models in the logits offset. */
export interface OffsetRows {
  readonly remote: TextRows
  readonly base: TextRows
  readonly adapted: TextRows
}

/** Log-probabilities of the tokens that follow the rows of each text, [text][position]. */
export type TokenNats = readonly (readonly number[])[]

/** Scores texts with a model. */
export function tokenNats(rows: TextRows, texts: readonly (readonly number[])[], size: number): TokenNats {
  return rows.map((positions, text) =>
    positions.map((row, place) => {
      const scores = row.subarray(0, size)
      return scores[tokenAt(texts[text]!, positions, place)]! - logSumExp(scores)
    })
  )
}

/**
 * Scores texts with the remote steered by the logits offset: p ∝ p_remote · exp(α (z_adapted − z_base)) (proxy-tuning,
 * arXiv 2401.08565, eq. 1 and section 6.2).
 *
 * @param size size of the shared vocabulary
 */
export function steeredNats(
  { remote, base, adapted }: OffsetRows,
  texts: readonly (readonly number[])[],
  size: number,
  alpha: number
): TokenNats {
  const scores = new Float64Array(size)
  return remote.map((positions, text) =>
    positions.map((row, place) => {
      const [plain, own] = [base[text]![place]!, adapted[text]![place]!]
      for (let id = 0; id < size; id++) scores[id] = row[id]! + alpha * (own[id]! - plain[id]!)
      return scores[tokenAt(texts[text]!, positions, place)]! - logSumExp(scores)
    })
  )
}

/** Nats per token, with equal weight for all tokens. */
export function meanNats(nats: TokenNats): number {
  const all = nats.flat()
  return -all.reduce((sum, value) => sum + value, 0) / all.length
}

/** The token that follows a row. The rows are those before the text's last tokens. */
function tokenAt(text: readonly number[], rows: readonly Float32Array[], place: number): number {
  return text[text.length - rows.length + place]!
}

/** ln Σ exp(x), without overflow. */
function logSumExp(scores: Float32Array | Float64Array): number {
  let most = Number.NEGATIVE_INFINITY
  for (const score of scores) if (score > most) most = score
  let sum = 0
  for (const score of scores) sum += Math.exp(score - most)
  return most + Math.log(sum)
}
