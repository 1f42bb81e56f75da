/** What the data room needs of a tokenizer; `model/tokenizer.ts` loads real ones. */
export interface TextTokenizer {
  /** Number of token ids, special ones included. */
  readonly vocabularySize: number
  /** Beginning-of-sequence id, where the tokenizer has one. */
  readonly bosId: number | undefined
  /** End-of-sequence id, where the tokenizer has one. */
  readonly eosId?: number | undefined
  /** Ids of `text`, without special tokens. */
  encode(text: string): number[]
  /** Text of `ids`; special tokens are left out. */
  decode(ids: readonly number[]): string
}
