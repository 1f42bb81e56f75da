/** Changes to logits before sampling. */
export interface LogitSettings {
  /** Divides the positive logits of tokens already in the text, and multiplies the negative ones; 1 if absent. */
  readonly repetitionPenalty?: number
  /** Length of token sequences that may not be repeated, including those of the prompt; 0 if absent, for no limit. */
  readonly noRepeatNgramSize?: number
  /** Sequences of tokens that are never completed; one that is a token that ends texts does not count. */
  readonly badWordsIds?: readonly (readonly number[])[]
  /** Tokens that end the text: not drawn before it has as many as `minTokens` or `minLength` ask for. */
  readonly stopIds?: readonly number[]
  /** Fewest tokens behind those given; 0 if absent. */
  readonly minTokens?: number
  /** Fewest tokens, those given included; `minTokens` goes first. */
  readonly minLength?: number
  /** Tokens that are never sampled. */
  readonly suppressIds?: readonly number[]
  /** Tokens that are not sampled as the first. */
  readonly beginSuppressIds?: readonly number[]
}

/** The text whose next token is sampled. */
export interface TextSoFar {
  readonly ids: readonly number[]
  /** How many of its tokens belong to the prompt. */
  readonly promptTokens: number
}

/**
 * Logits as transformers' processors of the same names change them. The repetition penalty (Keskar et al. 2019, section
 * 4.1) counts the prompt's tokens, too.
 *
 * @returns the same array if nothing changes, otherwise a copy
 */
export function adjustLogits(logits: Float32Array, settings: LogitSettings, text: TextSoFar): Float32Array {
  const { repetitionPenalty = 1 } = settings
  const { ids } = text
  const suppressed = suppressedIds(settings, text)
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

/** Tokens that may not come next. */
function suppressedIds(settings: LogitSettings, { ids, promptTokens }: TextSoFar): number[] {
  const { suppressIds = [], beginSuppressIds = [], badWordsIds = [], stopIds = [] } = settings
  const { noRepeatNgramSize = 0, minTokens = 0, minLength = 0 } = settings
  const made = ids.length - promptTokens
  const isShort = minTokens > 0 ? made < minTokens : ids.length < minLength
  const words = badWordsIds.filter((word) => word.length > 1 || !stopIds.includes(word[0]!))
  return [
    ...repeatingIds(ids, noRepeatNgramSize),
    ...words.filter((word) => endsWith(ids, word.slice(0, -1))).map((word) => word.at(-1)!),
    ...(isShort ? stopIds : []),
    ...suppressIds,
    ...(made === 0 ? beginSuppressIds : [])
  ]
}

/** Tokens that would complete a sequence of `size` tokens that is in the text already. */
function repeatingIds(ids: readonly number[], size: number): number[] {
  if (size === 0 || ids.length + 1 < size) return []
  const open = ids.slice(ids.length - size + 1)
  const found: number[] = []
  for (let start = 0; start + size <= ids.length; start++)
    if (open.every((id, offset) => ids[start + offset] === id)) found.push(ids[start + size - 1]!)
  return found
}

function endsWith(ids: readonly number[], end: readonly number[]): boolean {
  return end.length <= ids.length && end.every((id, index) => ids[ids.length - end.length + index] === id)
}
