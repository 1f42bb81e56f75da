/** What changes logits before a token is drawn from them. */
export interface LogitSettings {
  /** Divides the positive logits of tokens that are in the text already, and multiplies the negative ones; 1 if absent. */
  readonly repetitionPenalty?: number
  /** Tokens that are never drawn. */
  readonly suppressIds?: readonly number[]
  /** Tokens that are not drawn first. */
  readonly beginSuppressIds?: readonly number[]
}

/** The text whose next token is drawn. */
export interface TextSoFar {
  readonly ids: readonly number[]
  /** How many of them were given. */
  readonly promptTokens: number
}

/**
 * Logits as transformers' processors of the same names change them. The repetition penalty (Keskar et al. 2019, section
 * 4.1) counts the prompt's tokens, too.
 *
 * @returns the same array where nothing changes, else a copy
 */
export function adjustLogits(
  logits: Float32Array,
  { repetitionPenalty = 1, suppressIds = [], beginSuppressIds = [] }: LogitSettings,
  { ids, promptTokens }: TextSoFar
): Float32Array {
  const suppressed = ids.length === promptTokens ? [...suppressIds, ...beginSuppressIds] : suppressIds
  if (repetitionPenalty === 1 && suppressed.length === 0) return logits
  const adjusted = Float32Array.from(logits)
  if (repetitionPenalty !== 1)
    for (const id of new Set(ids)) {
      const value = logits[id]
      if (value === undefined) continue
      adjusted[id] = value > 0 ? value / repetitionPenalty : value * repetitionPenalty
    }
  for (const id of suppressed) if (id < adjusted.length) adjusted[id] = Number.NEGATIVE_INFINITY
  return adjusted
}
