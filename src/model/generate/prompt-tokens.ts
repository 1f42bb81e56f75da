import { type TextTokenizer, textPrefix, withPrefix } from '../../data/text/text-tokenizer.ts'

/**
 * The ids to continue a prompt from: the tokenizer's prefix, then the prompt's own. An empty prompt becomes the
 * beginning-of-sequence token, even if the tokenizer does not add it to other texts.
 *
 * @param isTemplated whether a chat template rendered the prompt: a prefix that it wrote is not repeated
 * @throws {Error} for an empty prompt, if the tokenizer has no beginning-of-sequence token
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
  throw new Error('the prompt is empty, and the tokenizer has no beginning-of-sequence token')
}
