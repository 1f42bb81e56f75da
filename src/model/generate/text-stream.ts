import type { TextTokenizer } from '../../data/text/text-tokenizer.ts'
import { createDetokenizer } from './detokenizer.ts'
import type { FinishReason, GenerateOptions, Generator } from './generator.ts'
import { createStopFilter } from './stop-filter.ts'

/** One text to continue, as text. */
export interface TextStreamOptions extends GenerateOptions {
  readonly tokenizer: TextTokenizer
  /** Strings that end the text; they are not returned. */
  readonly stop?: readonly string[]
}

/** How a text ended. */
export interface TextStreamEnd {
  readonly reason: FinishReason
  /** Tokens generated, not counting a stop token. */
  readonly tokens: number
}

/**
 * Streams the text that follows `ids` in pieces: whole characters only, and without a stop string.
 *
 * @throws what `Generator.stream` throws
 */
export async function* streamText(
  generator: Generator,
  options: TextStreamOptions
): AsyncGenerator<string, TextStreamEnd> {
  const detokenizer = createDetokenizer(options.tokenizer, options.ids)
  const filter = createStopFilter(options.stop ?? [])
  const source = generator.stream(options)
  let tokens = 0
  for (;;) {
    const next = await source.next()
    if (!next.done) tokens++
    const text = filter.push(next.done ? detokenizer.flush() : detokenizer.push(next.value))
    if (text !== '') yield text
    if (filter.stopped) return { reason: 'stop', tokens }
    if (!next.done) continue
    const rest = filter.flush()
    if (rest !== '') yield rest
    return { reason: next.value, tokens }
  }
}
