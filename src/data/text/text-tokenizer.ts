/** What the data room needs of a tokenizer; `model/tokenizer` loads real ones. */
export interface TextTokenizer {
  /** Number of token ids, special ones included. */
  readonly vocabularySize: number
  /** Beginning-of-sequence id, where the tokenizer names one; whether texts begin with it is what `prefix` says. */
  readonly bosId: number | undefined
  /** End-of-sequence id, where the tokenizer names one. */
  readonly eosId?: number | undefined
  /** Ids that the tokenizer puts before every text; if absent, the beginning-of-sequence id, where there is one. */
  readonly prefix?: readonly number[]
  /** Ids that the tokenizer puts behind every text; none if absent. */
  readonly suffix?: readonly number[]
  /** Ids of the tokens that are markers and not text. */
  readonly specialIds?: ReadonlySet<number>
  /** Ids of `text`, without what the tokenizer puts before and behind it. */
  encode(text: string): number[]
  /** Text of `ids`; special tokens are left out. */
  decode(ids: readonly number[]): string
  /** What a token is called in the vocabulary; undefined where the vocabulary has no such id. */
  tokenName?(id: number): string | undefined
}

/** Ids that stand before every text. */
export function textPrefix({ prefix, bosId }: TextTokenizer): readonly number[] {
  return prefix ?? (bosId === undefined ? [] : [bosId])
}

/**
 * `ids` of a text that may have been begun already, as chat templates do: what the tokenizer puts before every text is not
 * put there twice.
 */
export function withPrefix(tokenizer: TextTokenizer, ids: readonly number[]): number[] {
  const prefix = textPrefix(tokenizer)
  const begun = prefix.every((id, index) => ids[index] === id)
  return begun ? [...ids] : [...prefix, ...ids]
}

/** The ids of a whole text as its tokenizer makes them, with what it puts before and behind. */
export function encodeText(tokenizer: TextTokenizer, text: string): number[] {
  return [...textPrefix(tokenizer), ...tokenizer.encode(text), ...(tokenizer.suffix ?? [])]
}
