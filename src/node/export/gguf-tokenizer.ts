import { join } from 'node:path'
import { z } from 'zod'
import { textPrefix } from '../../data/index.ts'
import { type GgufValue, readJsonObject } from '../../formats/index.ts'
import { type BaseModelDescription, chatTemplateSources, specialTokensOf } from '../../model/index.ts'
import { PeerError } from '../storage/peer-error.ts'
import { hasUnmergedTokens, mergeScores } from './bpe-merges.ts'
import { ggufPreTokenizers } from './gguf-pre-tokenizer.ts'

/** ggml's kinds of tokens. */
const KIND = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const
/** SentencePiece's sign for a space. */
const SPACE = '\u2581'

const addedSchema = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string(),
  special: z.boolean(),
  lstrip: z.boolean().nullish(),
  rstrip: z.boolean().nullish(),
  single_word: z.boolean().nullish()
})
const tokenizerSchema = z.looseObject({
  model: z.looseObject({
    type: z.literal('BPE', 'only BPE tokenizers can be written as GGUF'),
    vocab: z.record(z.string(), z.int().nonnegative()),
    merges: z.array(
      z.union([
        z.string().transform((merge): [string, string] => {
          const space = merge.indexOf(' ', 1)
          return [merge.slice(0, space), merge.slice(space + 1)]
        }),
        z.tuple([z.string(), z.string()])
      ])
    ),
    byte_fallback: z.boolean().nullish(),
    ignore_merges: z.boolean().nullish(),
    unk_token: z.string().nullish()
  }),
  added_tokens: z
    .array(addedSchema)
    .nullish()
    .transform((added) => added ?? []),
  normalizer: z.unknown(),
  pre_tokenizer: z.unknown()
})
type TokenizerFile = z.infer<typeof tokenizerSchema>
type Entry = [string, GgufValue]

/**
 * What llama.cpp has to know to make the same tokens: the vocabulary, how texts are divided and merged, what is put around
 * them, special tokens and chat templates.
 *
 * @throws {PeerError} when llama.cpp does not do what the tokenizer does, with what it is
 */
export function tokenizerMetadata(base: BaseModelDescription): Entry[] {
  const path = join(base.folder, 'tokenizer.json')
  const parsed = tokenizerSchema.safeParse(readJsonObject(path))
  if (!parsed.success) throw new PeerError(`${path}: ${z.prettifyError(parsed.error)}`)
  const refuse = (what: string): never => {
    throw new PeerError(`${path}: ${what}, which llama.cpp does not do: the model cannot be written as GGUF`)
  }
  const file = parsed.data
  const stripping = file.added_tokens.find(
    ({ lstrip, rstrip, single_word }) => lstrip || rstrip || single_word
  )
  if (stripping !== undefined)
    refuse(
      `the token ${JSON.stringify(stripping.content)} takes in the spaces around it, or only whole words`
    )
  const isPieces = file.model.byte_fallback === true
  return [
    ...(isPieces ? pieceEntries(file, refuse) : byteLevelEntries(file, refuse)),
    ...vocabularyEntries(file, base.config.vocabularySize, isPieces),
    ...specialEntries(file, base, refuse),
    ...templateEntries(base.folder)
  ]
}

/**
 * Texts of which llama.cpp makes other tokens from a written tokenizer, as lines for people.
 *
 * @param folder the base model's, whose tokenizer is one that is written
 */
export function tokenizerNotes(folder: string): string[] {
  const { normalizer, pre_tokenizer } = tokenizerSchema.parse(readJsonObject(join(folder, 'tokenizer.json')))
  const [exception] = ggufPreTokenizers(pre_tokenizer).flatMap((known) => known.exception ?? [])
  const isNfc = (normalizer as { type?: unknown } | null)?.type === 'NFC'
  return [
    ...(isNfc ? ['texts that are not in NFC: llama.cpp does not normalise them'] : []),
    ...(exception === undefined ? [] : [`${exception}: llama.cpp divides them elsewhere`])
  ].map((text) => `other tokens in llama.cpp for ${text}`)
}

/** Byte-level BPE: merges by rank, in the pieces that a pre-tokenizer makes. */
function byteLevelEntries(
  { model, normalizer, pre_tokenizer, added_tokens }: TokenizerFile,
  refuse: (what: string) => never
): Entry[] {
  // llama.cpp leaves a text as it is; NFC changes only what is not written in the usual way.
  if (!isAbsent(normalizer) && (normalizer as { type?: unknown }).type !== 'NFC')
    refuse(`its normalizer is ${JSON.stringify(normalizer).slice(0, 80)}`)
  const names = ggufPreTokenizers(pre_tokenizer)
  if (names.length === 0) refuse(`its pre-tokenizer is ${JSON.stringify(pre_tokenizer).slice(0, 200)}`)
  const except = new Set(added_tokens.map(({ content }) => content))
  const ignores = model.ignore_merges === true
  // Where every token comes from merges anyway, it does not matter whether they are ignored.
  const matters =
    names.some(({ ignoresMerges }) => ignoresMerges !== ignores) && hasUnmergedTokens(model, except)
  const fitting = matters ? names.find(({ ignoresMerges }) => ignoresMerges === ignores) : names[0]
  return [
    ['tokenizer.ggml.model', text('gpt2')],
    ['tokenizer.ggml.pre', text(fitting?.name ?? refuse(`"ignore_merges" is ${ignores}`))],
    ['tokenizer.ggml.merges', strings(model.merges.map((merge) => merge.join(' ')))]
  ]
}

/** SentencePiece's BPE: the highest score first, bytes for what is no piece. */
function pieceEntries(
  { model, normalizer, pre_tokenizer, added_tokens }: TokenizerFile,
  refuse: (what: string) => never
): Entry[] {
  const spaces = spaceRule(normalizer, pre_tokenizer)
  if (spaces === undefined)
    refuse(`its way with spaces is ${JSON.stringify([normalizer, pre_tokenizer]).slice(0, 200)}`)
  const except = new Set([
    ...added_tokens.map(({ content }) => content),
    ...Object.keys(model.vocab).filter((token) => BYTE.test(token))
  ])
  const scores = mergeScores(model, except) ?? refuse('its merges have an order that no scores give')
  const tokens = Object.entries(model.vocab)
  const allIds = [...tokens.map(([, id]) => id), ...added_tokens.map(({ id }) => id)]
  const highest = allIds.reduce((most, id) => Math.max(most, id), 0)
  const byId = new Float32Array(highest + 1)
  for (const [token, id] of tokens) byId[id] = scores.get(token) ?? 0
  return [
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.pre', text('default')],
    ['tokenizer.ggml.scores', { type: 'array', of: 'float32', value: Array.from(byId) }],
    ['tokenizer.ggml.add_space_prefix', flag(spaces === 'prefix')]
  ]
}

const BYTE = /^<0x[0-9A-F]{2}>$/

/** What becomes of spaces: signs, with one before every text or not; undefined for another rule. */
function spaceRule(normalizer: unknown, preTokenizer: unknown): 'prefix' | 'plain' | undefined {
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: SPACE }
  const same = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right)
  const parts = (normalizer as { normalizers?: unknown } | null)?.normalizers ?? [normalizer]
  // After the replacement there is no space left to split at.
  const noSplit =
    isAbsent(preTokenizer) || same((preTokenizer as { pattern?: unknown }).pattern, { String: ' ' })
  if (noSplit && same(parts, [replace])) return 'plain'
  if (noSplit && same(parts, [{ type: 'Prepend', prepend: SPACE }, replace])) return 'prefix'
  const { type, prepend_scheme, split, replacement } = (preTokenizer ?? {}) as Record<string, unknown>
  const metaspace = type === 'Metaspace' && replacement === SPACE && split === false && isAbsent(normalizer)
  if (metaspace && prepend_scheme === 'always') return 'prefix'
  return metaspace && prepend_scheme === 'never' ? 'plain' : undefined
}

function vocabularyEntries(file: TokenizerFile, size: number, isPieces: boolean): Entry[] {
  const { model, added_tokens } = file
  // Ids beyond the tokenizer's, which a padded embedding has, must have names too.
  const tokens = Array.from({ length: size }, (_, id) => `<unused-${id}>`)
  const kinds = tokens.map((): number => KIND.unused)
  const put = (id: number, token: string, kind: number): void => {
    if (id >= size) return
    tokens[id] = token
    kinds[id] = kind
  }
  for (const [token, id] of Object.entries(model.vocab))
    put(id, token, isPieces && BYTE.test(token) ? KIND.byte : KIND.normal)
  for (const { id, content, special } of added_tokens)
    put(id, content, special ? KIND.control : KIND.userDefined)
  const unknown = model.unk_token == null ? undefined : model.vocab[model.unk_token]
  if (isPieces && unknown !== undefined && unknown < size) kinds[unknown] = KIND.unknown
  return [
    ['tokenizer.ggml.tokens', strings(tokens)],
    ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: kinds }]
  ]
}

/** The names of GGUF for special tokens, its spelling included. */
const SPECIAL_KEYS = {
  unk_token: 'unknown_token_id',
  sep_token: 'seperator_token_id',
  pad_token: 'padding_token_id',
  cls_token: 'cls_token_id',
  mask_token: 'mask_token_id'
} as const

function specialEntries(
  { model, added_tokens }: TokenizerFile,
  { folder, config, tokenizer, generation }: BaseModelDescription,
  refuse: (what: string) => never
): Entry[] {
  const ids = new Map([
    ...Object.entries(model.vocab),
    ...added_tokens.map(({ content, id }) => [content, id] as const)
  ])
  const around = (own: readonly number[], id: number | undefined, where: string): boolean => {
    if (own.length === 0) return false
    if (own.length === 1 && own[0] === id) return true
    return refuse(`it puts the tokens ${own.join(', ')} ${where} every text`)
  }
  const bos = tokenizer.bosId ?? config.bosId
  const eos = tokenizer.eosId ?? config.eosId
  if (eos === undefined)
    throw new PeerError(
      `${folder} names no token that ends texts, and llama.cpp would take number 11: set eos_token in tokenizer_config.json`
    )
  const [eot, eom] = generation.stopIds.filter((id) => id !== eos)
  const special = specialTokensOf(folder)
  const named = Object.entries(SPECIAL_KEYS).map(([name, key]): [string, number | undefined] => {
    const token = special[name]
    return [key, token == null ? undefined : ids.get(token)]
  })
  const numbers: [string, number | undefined][] = [
    ['bos_token_id', bos],
    ['eos_token_id', eos],
    ['eot_token_id', eot],
    ['eom_token_id', eom],
    ...named
  ]
  return [
    ...numbers.flatMap(([key, id]): Entry[] =>
      id === undefined || id >= config.vocabularySize
        ? []
        : [[`tokenizer.ggml.${key}`, { type: 'uint32', value: id }]]
    ),
    ['tokenizer.ggml.add_bos_token', flag(around(textPrefix(tokenizer), bos, 'before'))],
    ['tokenizer.ggml.add_eos_token', flag(around(tokenizer.suffix ?? [], eos, 'behind'))]
  ]
}

function templateEntries(folder: string): Entry[] {
  const sources = chatTemplateSources(folder)
  const others = [...sources.keys()].filter((name) => name !== 'default')
  return [
    ...[...sources].map(
      ([name, source]): Entry => [
        name === 'default' ? 'tokenizer.chat_template' : `tokenizer.chat_template.${name}`,
        text(source)
      ]
    ),
    ...(others.length > 0 ? [['tokenizer.chat_templates', strings(others)] satisfies Entry] : [])
  ]
}

/** Whether a part of a tokenizer does nothing. */
function isAbsent(part: unknown): boolean {
  if (part == null) return true
  const { type, normalizers, pretokenizers } = part as Record<string, unknown>
  const parts = normalizers ?? pretokenizers
  return type === 'Sequence' && Array.isArray(parts) && parts.length === 0
}

function text(value: string): GgufValue {
  return { type: 'string', value }
}

function strings(value: string[]): GgufValue {
  return { type: 'array', of: 'string', value }
}

function flag(value: boolean): GgufValue {
  return { type: 'bool', value }
}
