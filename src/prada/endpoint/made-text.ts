import type { TextTokenizer } from '../../data/index.ts'
import { createDetokenizer, createStopFilter } from '../../model/index.ts'
import type { MadeToken, TextEnd } from './text-source.ts'

/** A piece of a text as it is sent: whole characters only, and no part of a stop string. */
export interface TextPiece {
  readonly text: string
  /** Tokens whose text is complete with this piece; each appears once, in order. */
  readonly tokens: readonly MadeToken[]
}

/** How a text ended. */
export interface MadeTextEnd {
  readonly reason: TextEnd
  /** Generated tokens, without the one that ended the text; tokens withheld for a stop string count. */
  readonly tokens: number
  /** Number of tokens that are not certain. */
  readonly inexact: number
}

/** How tokens become text. */
export interface TextPieceOptions {
  readonly tokenizer: TextTokenizer
  /** Ids of the preceding text. */
  readonly before: readonly number[]
  /** Strings that end the text; they are not sent. */
  readonly stop: readonly string[]
}

/** A partial character at the end of a truncated text. */
const UNFINISHED = /\ufffd+$/

/**
 * A text in pieces as its tokens arrive. A token is sent with the piece that completes its text. It is withheld while a
 * stop string may begin in it, and dropped if one does.
 */
export async function* textPieces(
  tokens: AsyncGenerator<MadeToken, TextEnd>,
  { tokenizer, before, stop }: TextPieceOptions
): AsyncGenerator<TextPiece, MadeTextEnd> {
  const detokenizer = createDetokenizer(tokenizer, before)
  const filter = createStopFilter(stop)
  const pending = createPendingTokens()
  let [made, inexact] = [0, 0]
  try {
    for (;;) {
      const next = await tokens.next()
      if (!next.done) {
        made++
        if (!next.value.exact) inexact++
        pending.add(next.value)
      }
      const text = next.done ? rest(detokenizer.flush(), next.value) : detokenizer.push(next.value.id)
      pending.write(text)
      const through = filter.push(text)
      const piece = { text: through, tokens: pending.completed(through) }
      if (piece.text !== '' || piece.tokens.length > 0) yield piece
      if (filter.stopped) return { reason: 'stop', tokens: made, inexact }
      if (!next.done) continue
      const last = filter.flush()
      const ending = { text: last, tokens: pending.all(last) }
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

/** Tokens whose text has not been sent completely, and where their text ends. */
function createPendingTokens(): {
  add(token: MadeToken): void
  /** Adds text that completes all tokens so far; an empty text completes none. */
  write(text: string): void
  /** Tokens completed by sending this much more of the text. */
  completed(text: string): MadeToken[]
  /** Tokens completed at the end of the text. */
  all(text: string): MadeToken[]
} {
  const complete: { readonly token: MadeToken; readonly end: number }[] = []
  let unfinished: MadeToken[] = []
  let [written, through] = [0, 0]
  const completed = (text: string): MadeToken[] => {
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
    completed,
    all: (text) => [...completed(text), ...unfinished]
  }
}
