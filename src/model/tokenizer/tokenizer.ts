import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { z } from 'zod'
import type { TextTokenizer } from '../../data/text/text-tokenizer.ts'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { patternFault, patternsIn } from '../../formats/patterns/pattern-check.ts'
import { requireTokenizerFile } from './missing-tokenizer.ts'
import {
  modelTokenIds,
  namedSpecialTokens,
  type SpecialTokens,
  type TokenizerConfigs
} from './special-tokens.ts'
import { limitedEncoder } from './time-limit.ts'
import { requireAddedTokens, requireKnownTokenizer } from './tokenizer-keys.ts'

/** Upper bound of a tokenizer's ids: far above any real one. */
const IDS_MAX = 2 ** 24
const idsSchema = z.looseObject({
  added_tokens: z
    .array(z.looseObject({ content: z.unknown().optional(), id: z.unknown().optional() }))
    .nullish(),
  model: z
    .looseObject({ vocab: z.union([z.array(z.unknown()), z.record(z.string(), z.unknown())]).nullish() })
    .nullish(),
  post_processor: z.unknown().optional()
})
const addingSchema = z.looseObject({
  add_bos_token: z.boolean().nullish(),
  add_eos_token: z.boolean().nullish()
})

/**
 * Loads a folder's tokenizer.json, with tokenizer_config.json, special_tokens_map.json and config.json.
 *
 * @throws {Error} when a file is missing or malformed, or a named token is not in the vocabulary
 */
export function loadTokenizer(folder: string): TextTokenizer {
  requireTokenizerFile(folder)
  const { config, ...more } = readTokenizerConfigs(folder)
  const tokenizerJson = readJsonObject(join(folder, 'tokenizer.json'))
  try {
    return createTextTokenizer(tokenizerJson, config, more)
  } catch (error) {
    throw new Error(`${folder}: ${(error as Error).message}`)
  }
}

/** Reads a folder's tokenizer files besides tokenizer.json. @throws {Error} when a file is missing or malformed */
export function readTokenizerConfigs(folder: string): TokenizerConfigs {
  const optional = (name: string): object | undefined =>
    existsSync(join(folder, name)) ? readJsonObject(join(folder, name)) : undefined
  return {
    config: optional('tokenizer_config.json') ?? {},
    specialTokensMap: optional('special_tokens_map.json'),
    addedTokens: optional('added_tokens.json'),
    modelConfig: optional('config.json')
  }
}

/** The special tokens of a folder. @throws {Error} when a file is malformed */
export function specialTokensOf(folder: string): SpecialTokens {
  return namedSpecialTokens(readTokenizerConfigs(folder))
}

/**
 * A tokenizer from the contents of tokenizer.json and of the files beside it. Prefix and suffix come from its
 * post-processor; without one, from `add_bos_token` and `add_eos_token`, as in transformers 5.
 *
 * @param config contents of tokenizer_config.json
 * @param more contents of the other files, if available
 * @throws {Error} when they are malformed, a named token is not in the vocabulary, or a pattern could take exponential
 * time
 */
export function createTextTokenizer(
  tokenizerJson: object,
  config: object,
  more: Omit<TokenizerConfigs, 'config'> = {}
): TextTokenizer {
  const files: TokenizerConfigs = { config, ...more }
  const named = namedSpecialTokens(files)
  for (const pattern of patternsIn(tokenizerJson)) {
    const fault = patternFault(pattern)
    if (fault !== undefined)
      throw new Error(
        `tokenizer.json: the pattern ${JSON.stringify(pattern.slice(0, 200))} is refused, since matching some texts could take exponential time: ${fault}`
      )
  }
  requireSmallIds(tokenizerJson)
  requireKnownTokenizer(tokenizerJson, config)
  const tokenizer = openTokenizer(tokenizerJson, config)
  requireAddedTokens(files, (token) => tokenizer.token_to_id(token) !== undefined)
  const ids = specialIds(tokenizer, named, files)
  let highest = -1
  for (const id of tokenizer.get_vocab(true).values()) highest = Math.max(highest, id)
  return {
    vocabularySize: highest + 1,
    ...ids,
    ...addedAround(tokenizer, tokenizerJson, config, ids),
    specialIds: markersOf(tokenizer),
    encode: limitedEncoder((text) =>
      text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids
    ),
    decode: (ids) =>
      ids.length === 0
        ? ''
        : tokenizer.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
    tokenName: (id) => tokenizer.id_to_token(id)
  }
}

/** Parts that a tokenizer.json may leave out. */
const OPTIONAL_PARTS = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null
}

/** @throws {Error} naming tokenizer.json, when it is malformed or of a kind that is not supported */
function openTokenizer(tokenizerJson: object, config: object): Tokenizer {
  try {
    return new Tokenizer({ ...OPTIONAL_PARTS, ...tokenizerJson }, config)
  } catch (error) {
    throw new Error(`tokenizer.json: ${(error as Error).message}`)
  }
}

/** The ids that begin and end texts. @throws {Error} for a token that is not in the vocabulary */
function specialIds(
  tokenizer: Tokenizer,
  named: ReturnType<typeof namedSpecialTokens>,
  { modelConfig }: TokenizerConfigs
): { bosId: number | undefined; eosId: number | undefined } {
  const idOf = (key: 'bos_token' | 'eos_token'): number | undefined => {
    const token = named[key]
    if (!token) return undefined
    const id = tokenizer.token_to_id(token)
    if (id === undefined)
      throw new Error(`tokenizer_config.json names ${key} ${token}, which tokenizer.json does not have`)
    return id
  }
  const model = modelTokenIds(modelConfig)
  const known = (id: number | undefined): number | undefined =>
    id !== undefined && tokenizer.id_to_token(id) !== undefined ? id : undefined
  return {
    // A tokenizer that declares no beginning-of-sequence token has none, whatever config.json says (Qwen).
    bosId: named.bos_token === undefined ? known(model.bos) : idOf('bos_token'),
    eosId: idOf('eos_token') ?? known(model.eos)
  }
}

/** The prefix and suffix that the tokenizer adds to a text. */
function addedAround(
  tokenizer: Tokenizer,
  tokenizerJson: object,
  config: object,
  { bosId, eosId }: { readonly bosId: number | undefined; readonly eosId: number | undefined }
): { prefix: readonly number[]; suffix: readonly number[] } {
  if (idsSchema.parse(tokenizerJson).post_processor == null) {
    const { add_bos_token, add_eos_token } = addingSchema.safeParse(config).data ?? {}
    const added = (wanted: unknown, id: number | undefined): number[] =>
      wanted === true && id !== undefined ? [id] : []
    return { prefix: added(add_bos_token, bosId), suffix: added(add_eos_token, eosId) }
  }
  const plain = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids
  const probe = PROBES.find((text) => plain(text).length > 0) ?? ''
  const bare = plain(probe)
  const { ids }: { ids: number[] } = tokenizer.encode(probe, { add_special_tokens: true })
  const start = ids.findIndex((_, index) => bare.every((id, offset) => ids[index + offset] === id))
  if (ids.length > 0 && start < 0)
    throw new Error("tokenizer.json: its post_processor changes a text's own tokens, which Loam does not do")
  return { prefix: ids.slice(0, start), suffix: ids.slice(start + bare.length) }
}

/** Probe texts: every vocabulary for text encodes at least one of them. */
const PROBES = ['a', 'e', 'h', '0', '.', ' ', '\u00e9', '\u4e00']

function markersOf(tokenizer: Tokenizer): ReadonlySet<number> {
  const added = [...tokenizer.get_added_tokens_decoder()]
  return new Set(added.filter(([, { special }]) => special).map(([id]) => id))
}

/**
 * Checks ids, since the tokenizer's tables have an entry for every id up to the highest. @throws {Error} naming the
 * token
 */
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
