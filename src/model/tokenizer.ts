import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { z } from 'zod'
import type { TextTokenizer } from '../data/text-tokenizer.ts'
import { readJsonObject } from './read-json.ts'

const specialToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish()
const tokenizerConfigSchema = z.looseObject({ bos_token: specialToken })

/**
 * Loads a folder's tokenizer.json and tokenizer_config.json.
 *
 * @throws {Error} when a file is missing or malformed, or bos_token is not in the vocabulary
 */
export function loadTokenizer(folder: string): TextTokenizer {
  return createTextTokenizer(
    readJsonObject(join(folder, 'tokenizer.json')),
    readJsonObject(join(folder, 'tokenizer_config.json'))
  )
}

/**
 * A tokenizer from the contents of tokenizer.json and tokenizer_config.json.
 *
 * @throws {Error} when they are malformed, or bos_token is not in the vocabulary
 */
export function createTextTokenizer(tokenizerJson: object, configJson: object): TextTokenizer {
  const config = tokenizerConfigSchema.safeParse(configJson)
  if (!config.success) throw new Error(`tokenizer_config.json: ${z.prettifyError(config.error)}`)
  const tokenizer = new Tokenizer(tokenizerJson, configJson)
  const { bos_token } = config.data
  const bosToken = typeof bos_token === 'object' ? bos_token?.content : bos_token
  const bosId = bosToken ? tokenizer.token_to_id(bosToken) : undefined
  if (bosToken && bosId === undefined) {
    throw new Error(`tokenizer_config.json names bos_token ${bosToken}, which tokenizer.json does not have`)
  }
  let highest = -1
  for (const id of tokenizer.get_vocab(true).values()) highest = Math.max(highest, id)
  return {
    vocabularySize: highest + 1,
    bosId,
    encode: (text) => (text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids),
    decode: (ids) =>
      ids.length === 0
        ? ''
        : tokenizer.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false })
  }
}
