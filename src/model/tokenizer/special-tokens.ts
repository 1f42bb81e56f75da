import { z } from 'zod'

/** Special tokens by purpose, under the names that templates and files use. */
const SPECIAL_TOKENS = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token'
] as const
type SpecialTokenName = (typeof SPECIAL_TOKENS)[number]

/** A token's text by purpose; null if a file says that there is none. */
export type SpecialTokens = Readonly<Partial<Record<SpecialTokenName, string | null>>> &
  Readonly<Record<string, string | null>>

const token = z
  .union([z.string(), z.looseObject({ content: z.string() })])
  .nullish()
  .transform((value) => (typeof value === 'object' ? (value?.content ?? null) : value))
const namedSchema = z.looseObject(
  Object.fromEntries(SPECIAL_TOKENS.map((name) => [name, token])) as Record<SpecialTokenName, typeof token>
)
const configSchema = namedSchema.extend({
  added_tokens_decoder: z.record(z.string(), z.looseObject({ content: z.string() })).nullish(),
  // A list names tokens without their purpose.
  extra_special_tokens: z.union([z.record(z.string(), token), z.array(z.unknown())]).nullish()
})

/** A folder's tokenizer files besides tokenizer.json. */
export interface TokenizerConfigs {
  /** Contents of tokenizer_config.json. */
  readonly config: object
  /** Contents of special_tokens_map.json, if there is one. */
  readonly specialTokensMap?: object | undefined
  /** Contents of added_tokens.json, if there is one. */
  readonly addedTokens?: object | undefined
  /** Contents of config.json, which defines the end-of-text token if nothing else does. */
  readonly modelConfig?: object | undefined
}

/**
 * The special tokens of a folder, with the precedence of transformers: special_tokens_map.json before
 * tokenizer_config.json, unless the latter lists the added tokens itself (`PreTrainedTokenizerBase._from_pretrained`,
 * version 5).
 *
 * @throws {Error} naming the malformed file
 */
export function namedSpecialTokens({ config, specialTokensMap }: TokenizerConfigs): SpecialTokens {
  const own = parse(configSchema, config, 'tokenizer_config.json')
  const map = parse(namedSchema, specialTokensMap ?? {}, 'special_tokens_map.json')
  const sources = own.added_tokens_decoder ? [own, map] : [map, own]
  const named = SPECIAL_TOKENS.flatMap((name) => {
    const found = sources.find((source) => source[name] !== undefined)?.[name]
    return found === undefined ? [] : [[name, found] as const]
  })
  const extra = own.extra_special_tokens
  return {
    ...(extra && !Array.isArray(extra) ? definedOf(extra) : {}),
    ...Object.fromEntries(named)
  }
}

const id = z.int().nonnegative()
const modelSchema = z.looseObject({
  bos_token_id: z.union([id, z.array(id)]).nullish(),
  eos_token_id: z.union([id, z.array(id)]).nullish()
})

/** The ids that begin and end texts according to config.json; the first if it lists several. */
export function modelTokenIds(modelConfig: object | undefined): { bos?: number; eos?: number } {
  const { bos_token_id, eos_token_id } = modelSchema.safeParse(modelConfig ?? {}).data ?? {}
  const [bos] = [bos_token_id ?? []].flat()
  const [eos] = [eos_token_id ?? []].flat()
  return { ...(bos !== undefined && { bos }), ...(eos !== undefined && { eos }) }
}

function definedOf(
  values: Readonly<Record<string, string | null | undefined>>
): Record<string, string | null> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string | null] => entry[1] !== undefined)
  )
}

function parse<T>(schema: z.ZodType<T>, json: object, file: string): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new Error(`${file}: ${z.prettifyError(parsed.error)}`)
}
