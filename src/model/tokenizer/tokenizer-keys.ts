import { z } from 'zod'
import { findUnreadKeys, type KeyTable } from '../../formats/hugging-face/checked-keys.ts'
import { NOTE_KEYS } from '../../formats/hugging-face/note-keys.ts'

const RESAVE =
  'load the tokenizer in transformers and save it again, AutoTokenizer.from_pretrained(folder).save_pretrained(folder)'

/** tokenizer_config.json, after transformers 5.24 and versions before it. */
const CONFIG_KEYS: KeyTable = {
  file: 'tokenizer_config.json',
  used: [
    ...['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'],
    ...['added_tokens_decoder', 'extra_special_tokens', 'additional_special_tokens', 'add_prefix_space'],
    ...['add_bos_token', 'add_eos_token', 'chat_template', 'tokenizer_class']
  ],
  harmless: [
    ...NOTE_KEYS,
    {
      reason: 'nothing is padded or cut by the tokenizer',
      keys: ['model_max_length', 'max_length', 'stride']
    },
    {
      reason: "transformers' classes keep every other argument, and tokenizer.json says what they compute",
      keys: [],
      patterns: [/./]
    }
  ],
  refused: {
    split_special_tokens: {
      cure: `says that special tokens in a text are read as plain text, which is not supported: remove it`
    }
  }
}

/** tokenizer.json, after the library tokenizers 0.23. */
const TOKENIZER_KEYS: KeyTable = {
  file: 'tokenizer.json',
  used: ['added_tokens', 'normalizer', 'pre_tokenizer', 'post_processor', 'decoder', 'model'],
  harmless: [
    ...NOTE_KEYS,
    { reason: 'transformers switches both off where nothing asks for them', keys: ['truncation', 'padding'] }
  ],
  refused: {}
}

const MODEL_KEYS: KeyTable = {
  file: 'tokenizer.json, model',
  used: [
    ...['type', 'vocab', 'merges', 'unk_token', 'unk_id', 'fuse_unk', 'byte_fallback', 'ignore_merges'],
    ...['end_of_word_suffix', 'continuing_subword_prefix', 'max_input_chars_per_word']
  ],
  harmless: [...NOTE_KEYS.filter(({ reason }) => !reason.includes('training'))],
  refused: {
    dropout: { unless: [0], cure: 'makes other tokens of the same text each time: set it to null' }
  }
}

const part = z.looseObject({ type: z.string().nullish() })
const tokenizerSchema = z.looseObject({
  model: part.extend({ continuing_subword_prefix: z.string().nullish() }).nullish(),
  pre_tokenizer: part.nullish(),
  added_tokens: z
    .array(z.looseObject({ content: z.string().nullish(), single_word: z.boolean().nullish() }))
    .nullish()
})
const splitSchema = part.extend({
  behavior: z.string().nullish(),
  invert: z.boolean().nullish(),
  pattern: z.looseObject({ String: z.string().nullish() }).nullish(),
  add_prefix_space: z.boolean().nullish(),
  pretokenizers: z.array(z.unknown()).nullish()
})
type PreTokenizer = z.output<typeof splitSchema>

/**
 * Refuses what a tokenizer's files say and nothing here computes.
 *
 * @param config contents of tokenizer_config.json
 * @throws {Error} naming each such part and what to do
 */
export function requireKnownTokenizer(tokenizerJson: object, config: object): void {
  const parsed = tokenizerSchema.safeParse(tokenizerJson)
  if (!parsed.success) throw new Error(`tokenizer.json: ${z.prettifyError(parsed.error)}`)
  const { model, pre_tokenizer, added_tokens } = parsed.data
  const steps = preTokenizers(pre_tokenizer)
  const faults = [
    ...findUnreadKeys(tokenizerJson, TOKENIZER_KEYS),
    ...findUnreadKeys(model ?? {}, MODEL_KEYS),
    ...modelFaults(model),
    ...steps.flatMap(stepFaults),
    ...(added_tokens ?? [])
      .filter(({ single_word }) => single_word === true)
      .map(
        ({ content }) =>
          `tokenizer.json, added_tokens: ${JSON.stringify(content)} has single_word: true, which is not supported: set it to false`
      ),
    ...findUnreadKeys(config, CONFIG_KEYS),
    ...prefixSpaceFault(config, steps),
    ...addedTokenFaults(tokenizerJson, config)
  ]
  if (faults.length > 0) throw new Error(faults.slice(0, 4).join('; '))
}

function preTokenizers(value: unknown): PreTokenizer[] {
  const parsed = splitSchema.safeParse(value)
  if (!parsed.success) return []
  return parsed.data.type === 'Sequence'
    ? (parsed.data.pretokenizers ?? []).flatMap(preTokenizers)
    : [parsed.data]
}

function modelFaults(model: z.output<typeof tokenizerSchema>['model']): string[] {
  if (model?.type === 'WordLevel')
    return ['tokenizer.json, model: the type WordLevel is not supported (supported: BPE, Unigram, WordPiece)']
  if ((model?.type ?? 'BPE') === 'BPE' && model?.continuing_subword_prefix)
    return [
      `tokenizer.json, model: continuing_subword_prefix ${JSON.stringify(model.continuing_subword_prefix)} is not supported with BPE`
    ]
  return []
}

/** Settings that the tokenizer's library reads past; each gave other tokens than the library tokenizers. */
function stepFaults({ type, behavior, invert, pattern }: PreTokenizer): string[] {
  const unsupported = (setting: string): string[] => [
    `tokenizer.json, pre_tokenizer: ${type} with ${setting} is not supported`
  ]
  if (type === 'Split' && invert === true && behavior !== 'Removed')
    return unsupported(`invert: true and behavior ${JSON.stringify(behavior)}`)
  if (type === 'Split' && typeof pattern?.String === 'string' && behavior === 'Removed')
    return unsupported('a plain text as pattern and behavior "Removed"')
  if (type === 'Punctuation' && behavior != null && !['Isolated', 'Contiguous'].includes(behavior))
    return unsupported(`behavior ${JSON.stringify(behavior)}`)
  return []
}

const prefixSchema = z.looseObject({
  add_prefix_space: z.boolean().nullish(),
  tokenizer_class: z.string().nullish()
})

/** Two classes put a space before a text by tokenizer_config.json, whatever tokenizer.json says; the others do not. */
function prefixSpaceFault(config: object, steps: readonly PreTokenizer[]): string[] {
  const { add_prefix_space: asked, tokenizer_class: name } = prefixSchema.safeParse(config).data ?? {}
  const byteLevel = steps.find(({ type }) => type === 'ByteLevel')
  if (typeof asked !== 'boolean' || byteLevel === undefined || !/^(?:GPT2|Qwen2)Tokenizer/.test(name ?? ''))
    return []
  if ((byteLevel.add_prefix_space ?? false) === asked) return []
  return [
    `tokenizer_config.json, add_prefix_space: ${asked} contradicts tokenizer.json, whose pre_tokenizer says ${!asked}: ${RESAVE}`
  ]
}

const named = z.union([z.string(), z.looseObject({ content: z.string() })])
/** Whether a token takes in the spaces around it, or is found in whole words only. */
const FLAGS = ['lstrip', 'rstrip', 'single_word'] as const
const flag = z.boolean().nullish()
const flagged = z.looseObject({ content: z.string(), lstrip: flag, rstrip: flag, single_word: flag })
const flaggedSchema = z.looseObject({
  added_tokens: z.array(flagged).nullish(),
  added_tokens_decoder: z.record(z.string(), flagged).nullish()
})

/** Tokens that tokenizer_config.json finds in other places than tokenizer.json does; transformers follows the former. */
function addedTokenFaults(tokenizerJson: object, config: object): string[] {
  const own = flaggedSchema.safeParse(tokenizerJson).data?.added_tokens ?? []
  const byContent = new Map(own.map((token) => [token.content, token]))
  const listed = flaggedSchema.safeParse(config).data?.added_tokens_decoder ?? {}
  return Object.values(listed).flatMap((token) => {
    const other = byContent.get(token.content)
    const differs = FLAGS.find((name) => (token[name] ?? false) !== (other?.[name] ?? false))
    if (other === undefined || differs === undefined) return []
    const value = token[differs] ?? false
    return [
      `tokenizer_config.json, added_tokens_decoder: ${JSON.stringify(token.content)} has ${differs}: ${value}, and in tokenizer.json ${!value}: ${RESAVE}`
    ]
  })
}

const addedSchema = z.looseObject({
  added_tokens_decoder: z.record(z.string(), z.looseObject({ content: z.string() })).nullish(),
  additional_special_tokens: z.array(named).nullish(),
  extra_special_tokens: z.union([z.array(named), z.record(z.string(), named.nullish())]).nullish()
})

/**
 * Refuses tokens that a folder adds beside tokenizer.json: transformers gives them ids behind the vocabulary.
 *
 * @param has whether tokenizer.json has a token
 * @throws {Error} naming the file and the token
 */
export function requireAddedTokens(
  { config, addedTokens }: { readonly config: object; readonly addedTokens?: object | undefined },
  has: (token: string) => boolean
): void {
  const { added_tokens_decoder, additional_special_tokens, extra_special_tokens } =
    addedSchema.safeParse(config).data ?? {}
  const text = (token: z.output<typeof named>): string => (typeof token === 'string' ? token : token.content)
  const extra = Object.values(extra_special_tokens ?? {}).filter((token) => token != null)
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ['tokenizer_config.json, added_tokens_decoder', Object.values(added_tokens_decoder ?? {}).map(text)],
    ['tokenizer_config.json, additional_special_tokens', (additional_special_tokens ?? []).map(text)],
    ['tokenizer_config.json, extra_special_tokens', extra.map(text)],
    ['added_tokens.json', Object.keys(addedTokens ?? {})]
  ]
  for (const [place, tokens] of lists) {
    const missing = tokens.find((token) => !has(token))
    if (missing === undefined) continue
    throw new Error(
      `${place}: ${JSON.stringify(missing)} is not in tokenizer.json, and which id and which row of the embedding it has is not said: ${RESAVE}, or remove it`
    )
  }
}
