import type { TextTokenizer } from '../../data/index.ts'
import { createDetokenizer, createStopFilter } from '../../model/index.ts'
import type { MadeToken, TextEnd } from './text-source.ts'

/** A part of a text as it is told: whole characters only, and nothing of a stop string. */
export interface TextPiece {
  readonly text: string
  /** Tokens whose text has been told as a whole with this piece or before; each once, in their order. */
  readonly tokens: readonly MadeToken[]
}

/** How a text ended. */
export interface MadeTextEnd {
  readonly reason: TextEnd
  /** Tokens made, one that ended the text not counted; what a stop string held back is counted. */
  readonly tokens: number
  /** Tokens that are not certain. */
  readonly inexact: number
}

/** How tokens become text. */
export interface TextPieceOptions {
  readonly tokenizer: TextTokenizer
  /** Ids of the text before. */
  readonly before: readonly number[]
  /** Strings that end the text; they are not told. */
  readonly stop: readonly string[]
}

/** A half character at the end of a text that had no room for the rest. */
const UNFINISHED = /\ufffd+$/

/**
 * A text in pieces as its tokens come. A token is told with the piece that completes its text: not while a stop string may
 * begin in it, and not at all where one does.
 */
export async function* textPieces(
  tokens: AsyncGenerator<MadeToken, TextEnd>,
  { tokenizer, before, stop }: TextPieceOptions
): AsyncGenerator<TextPiece, MadeTextEnd> {
  const detokenizer = createDetokenizer(tokenizer, before)
  const filter = createStopFilter(stop)
  const untold = createUntoldTokens()
  let [made, inexact] = [0, 0]
  try {
    for (;;) {
      const next = await tokens.next()
      if (!next.done) {
        made++
        if (!next.value.exact) inexact++
        untold.add(next.value)
      }
      const text = next.done ? rest(detokenizer.flush(), next.value) : detokenizer.push(next.value.id)
      untold.write(text)
      const through = filter.push(text)
      const piece = { text: through, tokens: untold.told(through) }
      if (piece.text !== '' || piece.tokens.length > 0) yield piece
      if (filter.stopped) return { reason: 'stop', tokens: made, inexact }
      if (!next.done) continue
      const last = filter.flush()
      const ending = { text: last, tokens: untold.all(last) }
      if (ending.text !== '' || ending.tokens.length > 0) yield ending
      return { reason: next.value, tokens: made, inexact }
    }
  } finally {
    await tokens.return('stop')
  }
}

function rest(text: string, reason: TextEnd): string {
  return reason === 'length' ? text.replace(UNFINISHED, '') : text
}

/** Tokens whose text has not been told as a whole, with where it ends. */
function createUntoldTokens(): {
  add(token: MadeToken): void
  /** Text came that completes all tokens so far; none where it is empty. */
  write(text: string): void
  /** Tokens that are told with this much more of the text. */
  told(text: string): MadeToken[]
  /** The same at the end of the text. */
  all(text: string): MadeToken[]
} {
  const complete: { readonly token: MadeToken; readonly end: number }[] = []
  let unfinished: MadeToken[] = []
  let [written, through] = [0, 0]
  const told = (text: string): MadeToken[] => {
    through += text.length
    const first = complete.findIndex(({ end }) => end > through)
    return complete.splice(0, first < 0 ? complete.length : first).map(({ token }) => token)
  }
  return {
    add: (token) => void unfinished.push(token),
    write(text) {
      if (text === '') return
      written += text.length
      for (const token of unfinished) complete.push({ token, end: written })
      unfinished = []
    },
    told,
    all: (text) => [...told(text), ...unfinished]
  }
}
