import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'

const FILE = 'generation_config.json'
const ids = z.union([z.number().int().nonnegative(), z.array(z.number().int().nonnegative())]).nullish()
const schema = z.looseObject({
  eos_token_id: ids,
  do_sample: z.boolean().nullish(),
  temperature: z.number().nonnegative().nullish(),
  top_k: z.number().int().nonnegative().nullish(),
  top_p: z.number().nonnegative().nullish(),
  max_new_tokens: z.number().int().positive().nullish()
})
const endSchema = z.looseObject({ eos_token_id: ids })

/** How a model's makers would have it generate: the folder's generation_config.json. */
export interface GenerationDefaults {
  /** Tokens that end a text: those of generation_config.json, else those of config.json. */
  readonly stopIds: readonly number[]
  /** 0 where the makers do not sample; undefined if they say nothing. */
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly maxTokens?: number
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
  const { eos_token_id, do_sample, temperature, top_k, top_p, max_new_tokens } = parsed.data
  const ends = eos_token_id ?? endSchema.safeParse(configJson).data?.eos_token_id ?? []
  const chosen = do_sample === false ? 0 : temperature
  return {
    stopIds: [ends].flat(),
    ...(typeof chosen === 'number' && { temperature: chosen }),
    ...(top_k && { topK: top_k }),
    ...(top_p && { topP: top_p }),
    ...(max_new_tokens && { maxTokens: max_new_tokens })
  }
}
