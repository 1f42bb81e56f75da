import { z } from 'zod'
import { refusal } from './endpoint-error.ts'

/**
 * Keys that are accepted and ignored, because they change nothing here. They are kept apart from unknown keys: a key that
 * would change a text is rejected, never ignored.
 */
export const HARMLESS_KEYS = {
  // Identifiers for the caller's own records.
  user: z.unknown().optional(),
  metadata: z.unknown().optional(),
  safety_identifier: z.unknown().optional(),
  // Scheduling and service tier.
  service_tier: z.unknown().optional(),
  prompt_cache_key: z.unknown().optional(),
  prompt_cache_retention: z.unknown().optional(),
  // Nothing is stored.
  store: z.literal(false, 'storing is not supported: leave it out').nullish(),
  // Tool settings; tools are not supported.
  parallel_tool_calls: z.unknown().optional(),
  tool_choice: z.enum(['none', 'auto'], 'tools are not supported: leave it out').nullish(),
  tools: z.array(z.unknown()).max(0, 'tools are not supported: leave them out').nullish(),
  // The default behaviour.
  modalities: z.array(z.literal('text'), 'only text output is supported').nullish(),
  response_format: z.strictObject({ type: z.literal('text', 'only "text" is supported') }).nullish()
} as const

/** Why a key of OpenAI's API is rejected. */
const REFUSED_KEYS: Readonly<Record<string, string>> = {
  functions: 'tools are not supported: leave them out',
  function_call: 'tools are not supported: leave it out',
  audio: 'only text output is supported',
  reasoning_effort: 'reasoning effort is not supported: leave it out',
  verbosity: 'verbosity is not supported: leave it out',
  prediction: 'predicted outputs are not supported: leave them out',
  web_search_options: 'web search is not supported: leave it out',
  suffix: 'inserting text is not supported: leave it out'
}

const SEED = 'must be an integer from 0 to 2^53 − 1'
const penalty = z.number().min(-2).max(2).nullish()

/** Keys shared by both kinds of requests. */
export const COMMON_KEYS = {
  model: z.string(),
  stream: z.boolean().nullish(),
  stream_options: z
    .strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: z.literal(false).nullish() })
    .nullish(),
  stop: z
    .union(
      [z.string().min(1), z.array(z.string().min(1)).max(4)],
      'must be a nonempty string or a list of at most 4 nonempty strings'
    )
    .nullish(),
  seed: z.int(SEED).min(0, SEED).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  // Keys of vLLM and llama.cpp that OpenAI's API does not have.
  top_k: z.int().min(1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  max_tokens: z.int().min(1).nullish(),
  n: z.int().min(1).max(16).nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  logit_bias: z.record(z.string().regex(/^\d+$/, 'a token id'), z.number().min(-100).max(100)).nullish()
} as const

/**
 * Parses a body with its schema.
 *
 * @throws {EndpointError} 400, naming the first invalid or unsupported key
 */
export function readBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw refusal(undefined, 'the body must be a JSON object, of content-type application/json')
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const [unknown] = issue.code === 'unrecognized_keys' ? issue.keys : []
  const param = [...issue.path, ...(unknown === undefined ? [] : [unknown])].join('.')
  const reason =
    unknown === undefined ? issue.message : (REFUSED_KEYS[unknown] ?? 'unknown key: leave it out')
  throw refusal(param, `${param}: ${reason}`, unknown === undefined ? undefined : 'unsupported_parameter')
}
