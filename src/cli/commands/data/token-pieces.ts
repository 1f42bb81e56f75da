import type { TextTokenizer, TokenizedExample } from '../../../data/index.ts'

/** A token of an example in readable form. */
export interface TokenPiece {
  readonly id: number
  readonly text: string
  readonly learned: boolean
}

/** What a decoder writes for the bytes of an incomplete character. */
const UNFINISHED = '\ufffd'
/** SentencePiece's symbol for a space. */
const SPACE_SIGN = '\u2581'

/**
 * An example's tokens with their text; part of a character, or a special token, is shown by its name in the vocabulary.
 */
export function tokenPieces({ ids, weights }: TokenizedExample, tokenizer: TextTokenizer): TokenPiece[] {
  return Array.from(ids, (id, index) => ({
    id,
    text: pieceText(tokenizer, id),
    learned: weights[index] === 1
  }))
}

function pieceText({ specialIds, tokenName, decode }: TextTokenizer, id: number): string {
  const name = tokenName?.(id)
  if (name === undefined) return decode([id])
  if (specialIds?.has(id) === true) return name
  if (name.includes(SPACE_SIGN)) return name.replaceAll(SPACE_SIGN, ' ')
  const text = decode([id])
  return text === '' || text.includes(UNFINISHED) ? name : text
}

/** The text of an example, with the learned parts between ⟦ and ⟧. */
export function markedText(pieces: readonly TokenPiece[]): string {
  return pieces
    .map(({ text, learned }, index) => {
      const begins = learned && pieces[index - 1]?.learned !== true
      const ends = learned && pieces[index + 1]?.learned !== true
      return `${begins ? '⟦' : ''}${text}${ends ? '⟧' : ''}`
    })
    .join('')
}
