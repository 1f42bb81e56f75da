import type { TextTokenizer } from '../../data/text/text-tokenizer.ts'

/** What a decoder writes for the bytes of an incomplete character. */
const UNFINISHED = '\ufffd'
/** Prompt tokens that are decoded together with the first new token, so that its leading space is kept. */
const CONTEXT_TOKENS = 8

/** Turns tokens into text incrementally. */
export interface Detokenizer {
  /** The text that `id` completes; empty while a character is incomplete. */
  push(id: number): string
  /** The rest at the end: a character that was never completed. */
  flush(): string
}

/**
 * Decodes token by token what the tokenizer would decode as a whole: each new token is decoded together with the ones
 * before it (a SentencePiece tokenizer drops a text's leading space, a character may be several tokens), and only what
 * that adds is returned.
 *
 * @param before ids of the text so far, whose text is not returned
 */
export function createDetokenizer(tokenizer: TextTokenizer, before: readonly number[] = []): Detokenizer {
  let ids = before.slice(-CONTEXT_TOKENS)
  let known = ids.length
  let knownText = tokenizer.decode(ids)

  const take = (text: string): string => {
    const added = text.slice(knownText.length)
    // The tokens just returned are the context of the next ones.
    ids = ids.slice(known)
    known = ids.length
    knownText = tokenizer.decode(ids)
    return added
  }

  return {
    push(id) {
      ids.push(id)
      const text = tokenizer.decode(ids)
      if (text.length <= knownText.length || text.endsWith(UNFINISHED)) return ''
      return take(text)
    },
    flush() {
      const text = tokenizer.decode(ids)
      return text.length <= knownText.length ? '' : take(text)
    }
  }
}
