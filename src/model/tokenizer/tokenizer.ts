import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { z } from 'zod'
import type { TextTokenizer } from '../../data/text/text-tokenizer.ts'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { requireTokenizerFiles } from './missing-tokenizer.ts'
import { patternFault, patternsIn } from './pattern-check.ts'

const specialToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish()
/** Ids that a tokenizer may have: far more than any. */
const IDS_MAX = 2 ** 24
const idsSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ content: z.unknown(), id: z.unknown() })).nullish(),
  model: z
    .looseObject({ vocab: z.union([z.array(z.unknown()), z.record(z.string(), z.unknown())]).nullish() })
    .nullish()
})
const tokenizerConfigSchema = z.looseObject({ bos_token: specialToken, eos_token: specialToken })

/**
 * Loads a folder's tokenizer.json and tokenizer_config.json.
 *
 * @throws {Error} when a file is missing or malformed, or bos_token or eos_token is not in the vocabulary
 */
export function loadTokenizer(folder: string): TextTokenizer {
  requireTokenizerFiles(folder)
  return createTextTokenizer(
    readJsonObject(join(folder, 'tokenizer.json')),
    readJsonObject(join(folder, 'tokenizer_config.json'))
  )
}

/**
 * A tokenizer from the contents of tokenizer.json and tokenizer_config.json.
 *
 * @throws {Error} when they are malformed, bos_token or eos_token is not in the vocabulary, or a pattern may take for ever
 */
export function createTextTokenizer(tokenizerJson: object, configJson: object): TextTokenizer {
  const config = tokenizerConfigSchema.safeParse(configJson)
  if (!config.success) throw new Error(`tokenizer_config.json: ${z.prettifyError(config.error)}`)
  for (const pattern of patternsIn(tokenizerJson)) {
    const fault = patternFault(pattern)
    if (fault !== undefined)
      throw new Error(
        `tokenizer.json: the pattern ${JSON.stringify(pattern.slice(0, 200))} is refused, since it may take for ever on some texts: ${fault}`
      )
  }
  requireSmallIds(tokenizerJson)
  const tokenizer = new Tokenizer(tokenizerJson, configJson)
  const idOf = (key: 'bos_token' | 'eos_token'): number | undefined => {
    const named = config.data[key]
    const token = typeof named === 'object' ? named?.content : named
    if (!token) return undefined
    const id = tokenizer.token_to_id(token)
    if (id === undefined)
      throw new Error(`tokenizer_config.json names ${key} ${token}, which tokenizer.json does not have`)
    return id
  }
  const bosId = idOf('bos_token')
  const eosId = idOf('eos_token')
  let highest = -1
  for (const id of tokenizer.get_vocab(true).values()) highest = Math.max(highest, id)
  return {
    vocabularySize: highest + 1,
    bosId,
    eosId,
    encode: (text) => (text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids),
    decode: (ids) =>
      ids.length === 0
        ? ''
        : tokenizer.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false })
  }
}

/** The tokenizer's tables have a place for every id up to the highest. @throws {Error} naming the token */
function requireSmallIds(tokenizerJson: object): void {
  const { added_tokens, model } = idsSchema.parse(tokenizerJson)
  const ids = [
    ...Object.entries(Array.isArray(model?.vocab) ? {} : (model?.vocab ?? {})),
    ...(added_tokens ?? []).map(({ content, id }) => [content, id] as const)
  ]
  const wrong = ids.find(([, id]) => !(Number(id) < IDS_MAX))
  if (wrong !== undefined)
    throw new Error(
      `tokenizer.json: the id ${wrong[1]} of ${JSON.stringify(wrong[0])} is not below ${IDS_MAX}`
    )
}

/** A whole text's tokens, with the token that begins texts before them where the tokenizer has one. */
export function encodeText(tokenizer: TextTokenizer, text: string): number[] {
  const ids = tokenizer.encode(text)
  return tokenizer.bosId === undefined ? ids : [tokenizer.bosId, ...ids]
}
