import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { generationPart, unusedGenerationKeys } from './generation-keys.ts'

const FILE = 'generation_config.json'
const id = z.int().nonnegative()
const ids = z.union([id, z.array(id)]).nullish()
const schema = z.looseObject({
  eos_token_id: ids,
  do_sample: z.boolean().nullish(),
  temperature: z.number().nonnegative().nullish(),
  top_k: z.int().nonnegative().nullish(),
  top_p: z.number().nonnegative().nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().positive().nullish(),
  suppress_tokens: z.array(id).nullish(),
  begin_suppress_tokens: z.array(id).nullish(),
  stop_strings: z.union([z.string(), z.array(z.string())]).nullish(),
  max_new_tokens: z.int().positive().nullish(),
  max_length: z.int().positive().nullish(),
  no_repeat_ngram_size: z.int().nonnegative().nullish(),
  bad_words_ids: z.array(z.array(id).nonempty()).nullish(),
  min_new_tokens: z.int().nonnegative().nullish(),
  min_length: z.int().nonnegative().nullish()
})
const USED = Object.keys(schema.shape)
const endSchema = z.looseObject({ eos_token_id: ids })

/** The model's default settings for generation: the folder's generation_config.json. */
export interface GenerationDefaults {
  /** Tokens that end a text: those of generation_config.json, otherwise those of config.json. */
  readonly stopIds: readonly number[]
  /** Whether sampling is the default; otherwise the most likely token is taken, as in transformers. */
  readonly doSample: boolean
  /** Sampling parameters, which apply if the user asks for sampling even when it is not the default. */
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
  readonly repetitionPenalty?: number
  /** Tokens that are never sampled, and those not sampled as the first. */
  readonly suppressIds?: readonly number[]
  readonly beginSuppressIds?: readonly number[]
  /** Longest sequence of tokens that may come twice is one shorter than this. */
  readonly noRepeatNgramSize?: number
  /** Sequences of tokens that are never completed. */
  readonly badWordsIds?: readonly (readonly number[])[]
  /** Tokens after which a text may end: of the answer, and of prompt and answer together. */
  readonly minTokens?: number
  readonly minLength?: number
  /** Strings that end a text. */
  readonly stop?: readonly string[]
  readonly maxTokens?: number
  /** Maximum number of tokens of prompt and answer together. */
  readonly maxLength?: number
  /** Keys that are set but not used, as a line for the user. */
  readonly unused?: string
  /** Why generation is greedy although the file sets sampling parameters, as a line for the user. */
  readonly unsampled?: string
}

/** Sampling settings requested by the user; absent ones come from the file. */
export interface SamplingWishes {
  readonly temperature?: number | undefined
  readonly topK?: number | undefined
  readonly topP?: number | undefined
}

/**
 * Reads a folder's generation_config.json; without one, the same keys of config.json, as transformers does.
 *
 * @param configJson contents of config.json
 * @throws {Error} when the file is malformed
 */
export function loadGenerationDefaults(folder: string, configJson: object): GenerationDefaults {
  const hasFile = existsSync(join(folder, FILE))
  const file = hasFile ? FILE : 'config.json'
  const path = join(folder, file)
  const parsed = schema.safeParse(hasFile ? readJsonObject(path) : generationPart(configJson, USED))
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`)
  const made = parsed.data
  const ends = made.eos_token_id ?? endSchema.safeParse(configJson).data?.eos_token_id ?? []
  const stop = [made.stop_strings ?? []].flat().filter((text) => text !== '')
  return {
    stopIds: [ends].flat(),
    doSample: made.do_sample === true,
    ...(typeof made.temperature === 'number' && { temperature: made.temperature }),
    ...topKOf(made),
    ...(typeof made.top_p === 'number' && { topP: made.top_p }),
    ...(made.min_p && { minP: made.min_p }),
    ...(made.repetition_penalty && { repetitionPenalty: made.repetition_penalty }),
    ...(made.suppress_tokens?.length && { suppressIds: made.suppress_tokens }),
    ...(made.begin_suppress_tokens?.length && { beginSuppressIds: made.begin_suppress_tokens }),
    ...(made.no_repeat_ngram_size && { noRepeatNgramSize: made.no_repeat_ngram_size }),
    ...(made.bad_words_ids?.length && { badWordsIds: made.bad_words_ids }),
    ...(made.min_new_tokens && { minTokens: made.min_new_tokens }),
    ...(made.min_length && { minLength: made.min_length }),
    ...(stop.length > 0 && { stop }),
    ...(made.max_new_tokens && { maxTokens: made.max_new_tokens }),
    ...(made.max_length && { maxLength: made.max_length }),
    ...notesOn(made, file)
  }
}

/** Where the makers sample, transformers takes the 50 most likely tokens unless they say otherwise; 0 is all of them. */
function topKOf({ do_sample, top_k }: z.infer<typeof schema>): { readonly topK?: number } {
  const count = top_k ?? (do_sample === true ? NEUTRAL_SAMPLING.top_k : 0)
  return count === 0 ? {} : { topK: count }
}

/** The makers' settings that change logits whatever a user asks for. */
const MADE_LOGITS = [
  'repetitionPenalty',
  'noRepeatNgramSize',
  'badWordsIds',
  'minTokens',
  'minLength',
  'suppressIds',
  'beginSuppressIds'
] as const
type MadeLogits = (typeof MADE_LOGITS)[number]

/** How to sample: the user's settings, otherwise the file's. Setting any sampling parameter requests sampling. */
export function chooseSampling(
  { temperature, topK, topP }: SamplingWishes,
  made: GenerationDefaults
): { readonly temperature: number } & Omit<SamplingWishes, 'temperature'> &
  Pick<GenerationDefaults, 'minP' | MadeLogits> {
  const asked = temperature ?? (topK !== undefined || topP !== undefined ? 1 : undefined)
  const isSampled = asked === undefined ? made.doSample : asked > 0
  const chosen = { topK: topK ?? made.topK, topP: topP ?? made.topP, minP: made.minP }
  const logits = MADE_LOGITS.map((key) => [key, made[key]] as const)
  const defined = [...Object.entries(chosen), ...logits].filter(([, value]) => value !== undefined)
  return {
    ...Object.fromEntries(defined),
    temperature: isSampled ? (temperature ?? made.temperature ?? 1) : 0
  }
}

/** Maximum number of tokens to add to a prompt according to the file; undefined if it sets none. */
export function madeMaxTokens(
  { maxTokens, maxLength }: GenerationDefaults,
  promptTokens: number
): number | undefined {
  return maxTokens ?? (maxLength === undefined ? undefined : Math.max(1, maxLength - promptTokens))
}

function notesOn(
  made: z.infer<typeof schema>,
  file: string
): Pick<GenerationDefaults, 'unused' | 'unsampled'> {
  const unused = unusedGenerationKeys(made, USED)
  const sampling = (['temperature', 'top_k', 'top_p', 'min_p'] as const)
    .filter((key) => made[key] != null && made[key] !== NEUTRAL_SAMPLING[key])
    .map((key) => `${key} ${made[key]}`)
  const why = made.do_sample == null ? 'not do_sample' : 'do_sample false'
  return {
    ...(unused.length > 0 && { unused: `${file}: not used: ${unused.join(', ')}` }),
    ...(made.do_sample !== true &&
      sampling.length > 0 && {
        unsampled: `${file} sets ${sampling.join(', ')} but ${why}: the most likely token is taken, as in transformers; --temperature samples`
      })
  }
}

const NEUTRAL_SAMPLING = { temperature: 1, top_k: 50, top_p: 1, min_p: 0 } as const
