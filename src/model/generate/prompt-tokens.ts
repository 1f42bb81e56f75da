import { type TextTokenizer, textPrefix, withPrefix } from '../../data/text/text-tokenizer.ts'

/** Who wrote a prompt. */
interface PromptForm {
  readonly isTemplated?: boolean
  readonly mayHaveBegun?: boolean
}

/**
 * The ids to continue a prompt from: the tokenizer's prefix, then the prompt's own. An empty prompt becomes the
 * beginning-of-sequence token, even if the tokenizer does not add it to other texts.
 *
 * @param isTemplated whether a chat template rendered the prompt, which then determines how a conversation begins, as in
 *   transformers (`apply_chat_template`)
 * @param mayHaveBegun whether the prompt may have the tokenizer's prefix already; it is then not added twice
 * @throws {Error} for an empty prompt, if the tokenizer has no beginning-of-sequence token
 */
export function promptTokens(
  tokenizer: TextTokenizer,
  prompt: string,
  { isTemplated = false, mayHaveBegun = false }: PromptForm = {}
): number[] {
  const own = tokenizer.encode(prompt)
  const ids = isTemplated
    ? own
    : mayHaveBegun
      ? withPrefix(tokenizer, own)
      : [...textPrefix(tokenizer), ...own]
  if (ids.length > 0) return ids
  if (tokenizer.bosId !== undefined) return [tokenizer.bosId]
  throw new Error('the prompt is empty, and the tokenizer has no beginning-of-sequence token')
}
