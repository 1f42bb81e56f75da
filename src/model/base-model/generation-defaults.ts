import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { isHarmlessGenerationKey } from './generation-keys.ts'

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
  max_length: z.int().positive().nullish()
})
const endSchema = z.looseObject({ eos_token_id: ids })

/** How a model's makers would have it generate: the folder's generation_config.json. */
export interface GenerationDefaults {
  /** Tokens that end a text: those of generation_config.json, else those of config.json. */
  readonly stopIds: readonly number[]
  /** Whether the makers sample; where they do not say so the likeliest token is taken, as in transformers. */
  readonly doSample: boolean
  /** Of sampling, which may be asked for where the makers do not sample. */
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
  readonly repetitionPenalty?: number
  /** Tokens that are never drawn, and those that are not drawn first. */
  readonly suppressIds?: readonly number[]
  readonly beginSuppressIds?: readonly number[]
  /** Texts that end a text. */
  readonly stop?: readonly string[]
  readonly maxTokens?: number
  /** Most tokens of prompt and answer together. */
  readonly maxLength?: number
  /** Keys that are set and not used, as a line for the user. */
  readonly unused?: string
  /** Why generation is greedy although the makers set sampling parameters, as a line for the user. */
  readonly unsampled?: string
}

/** What a user asks of sampling; what is absent is left to the makers. */
export interface SamplingWishes {
  readonly temperature?: number | undefined
  readonly topK?: number | undefined
  readonly topP?: number | undefined
}

/**
 * Reads a folder's generation_config.json, if there is one.
 *
 * @param configJson contents of config.json
 * @throws {Error} when the file is malformed
 */
export function loadGenerationDefaults(folder: string, configJson: object): GenerationDefaults {
  const path = join(folder, FILE)
  const parsed = schema.safeParse(existsSync(path) ? readJsonObject(path) : {})
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`)
  const made = parsed.data
  const ends = made.eos_token_id ?? endSchema.safeParse(configJson).data?.eos_token_id ?? []
  const stop = [made.stop_strings ?? []].flat().filter((text) => text !== '')
  return {
    stopIds: [ends].flat(),
    doSample: made.do_sample === true,
    ...(typeof made.temperature === 'number' && { temperature: made.temperature }),
    ...(made.top_k && { topK: made.top_k }),
    ...(made.top_p && { topP: made.top_p }),
    ...(made.min_p && { minP: made.min_p }),
    ...(made.repetition_penalty && { repetitionPenalty: made.repetition_penalty }),
    ...(made.suppress_tokens?.length && { suppressIds: made.suppress_tokens }),
    ...(made.begin_suppress_tokens?.length && { beginSuppressIds: made.begin_suppress_tokens }),
    ...(stop.length > 0 && { stop }),
    ...(made.max_new_tokens && { maxTokens: made.max_new_tokens }),
    ...(made.max_length && { maxLength: made.max_length }),
    ...notesOn(made)
  }
}

/** How to draw tokens: as the user asks, else as the makers do. Asking for a part of sampling is asking for sampling. */
export function chooseSampling(
  { temperature, topK, topP }: SamplingWishes,
  made: GenerationDefaults
): { readonly temperature: number } & Omit<SamplingWishes, 'temperature'> &
  Pick<GenerationDefaults, 'minP' | 'repetitionPenalty' | 'suppressIds' | 'beginSuppressIds'> {
  const asked = temperature ?? (topK !== undefined || topP !== undefined ? 1 : undefined)
  const isSampled = asked === undefined ? made.doSample : asked > 0
  const chosen = { topK: topK ?? made.topK, topP: topP ?? made.topP, minP: made.minP }
  const { repetitionPenalty, suppressIds, beginSuppressIds } = made
  const defined = Object.entries({ ...chosen, repetitionPenalty, suppressIds, beginSuppressIds }).filter(
    ([, value]) => value !== undefined
  )
  return {
    ...Object.fromEntries(defined),
    temperature: isSampled ? (temperature ?? made.temperature ?? 1) : 0
  }
}

/** Most tokens to add to a prompt by the makers' settings; undefined where they set none. */
export function madeMaxTokens(
  { maxTokens, maxLength }: GenerationDefaults,
  promptTokens: number
): number | undefined {
  return maxTokens ?? (maxLength === undefined ? undefined : Math.max(1, maxLength - promptTokens))
}

function notesOn(made: z.infer<typeof schema>): Pick<GenerationDefaults, 'unused' | 'unsampled'> {
  const unused = Object.keys(made).filter(
    (key) => !Object.hasOwn(schema.shape, key) && !isHarmlessGenerationKey(key, made[key])
  )
  const sampling = (['temperature', 'top_k', 'top_p', 'min_p'] as const)
    .filter((key) => made[key] != null && made[key] !== NEUTRAL_SAMPLING[key])
    .map((key) => `${key} ${made[key]}`)
  const names = unused.map((key) => `${key} ${JSON.stringify(made[key])}`).join(', ')
  const why = made.do_sample == null ? 'not do_sample' : 'do_sample false'
  return {
    ...(names !== '' && { unused: `${FILE}: not used: ${names}` }),
    ...(made.do_sample !== true &&
      sampling.length > 0 && {
        unsampled: `${FILE} sets ${sampling.join(', ')} but ${why}: the most likely token is taken, as in transformers; --temperature samples`
      })
  }
}

const NEUTRAL_SAMPLING = { temperature: 1, top_k: 50, top_p: 1, min_p: 0 } as const
