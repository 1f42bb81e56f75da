import { type TextTokenizer, textPrefix, withPrefix } from '../../data/text/text-tokenizer.ts'

/**
 * The ids to continue a prompt from: what the tokenizer puts before every text, then the prompt's own. An empty prompt
 * begins with the token that begins texts, even where the tokenizer does not put it before others.
 *
 * @param isTemplated whether a chat template made the prompt: what it writes itself is not put there twice
 * @throws {Error} for an empty prompt, where the tokenizer names no token that begins a text
 */
export function promptTokens(
  tokenizer: TextTokenizer,
  prompt: string,
  { isTemplated = false }: { readonly isTemplated?: boolean } = {}
): number[] {
  const own = tokenizer.encode(prompt)
  const ids = isTemplated ? withPrefix(tokenizer, own) : [...textPrefix(tokenizer), ...own]
  if (ids.length > 0) return ids
  if (tokenizer.bosId !== undefined) return [tokenizer.bosId]
  throw new Error('the prompt is empty, and the tokenizer has no token that begins a text')
}
