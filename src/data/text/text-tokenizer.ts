/** The tokenizer interface of the data room; `src/model/tokenizer` loads real ones. */
export interface TextTokenizer {
  /** Number of token ids, special ones included. */
  readonly vocabularySize: number
  /** Beginning-of-sequence id, if the tokenizer has one; `prefix` says whether texts begin with it. */
  readonly bosId: number | undefined
  /** End-of-sequence id, if the tokenizer has one. */
  readonly eosId?: number | undefined
  /** Ids that the tokenizer adds before every text; if absent, the beginning-of-sequence id, if there is one. */
  readonly prefix?: readonly number[]
  /** Ids that the tokenizer adds after every text; none if absent. */
  readonly suffix?: readonly number[]
  /** Ids of special tokens, which are not text. */
  readonly specialIds?: ReadonlySet<number>
  /** Ids of `text`, without the tokenizer's prefix and suffix. */
  encode(text: string): number[]
  /** Text of `ids`; special tokens are left out. */
  decode(ids: readonly number[]): string
  /** A token's string in the vocabulary; undefined if the vocabulary has no such id. */
  tokenName?(id: number): string | undefined
}

/** Ids added before every text. */
export function textPrefix({ prefix, bosId }: TextTokenizer): readonly number[] {
  return prefix ?? (bosId === undefined ? [] : [bosId])
}

/** `ids` with the tokenizer's prefix, unless they begin with it already, as a rendered chat template may. */
export function withPrefix(tokenizer: TextTokenizer, ids: readonly number[]): number[] {
  const prefix = textPrefix(tokenizer)
  const begun = prefix.every((id, index) => ids[index] === id)
  return begun ? [...ids] : [...prefix, ...ids]
}

/** The ids of a whole text, including the tokenizer's prefix and suffix. */
export function encodeText(tokenizer: TextTokenizer, text: string): number[] {
  return [...textPrefix(tokenizer), ...tokenizer.encode(text), ...(tokenizer.suffix ?? [])]
}
