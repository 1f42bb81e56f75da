import { z } from 'zod'
import { refusal } from './endpoint-error.ts'

/**
 * Keys that are taken and not used, since they change nothing here. They are told apart from keys that nobody knows: what
 * would change a text is refused, never passed over.
 */
export const HARMLESS_KEYS = {
  // Names for the caller's own books.
  user: z.unknown().optional(),
  metadata: z.unknown().optional(),
  safety_identifier: z.unknown().optional(),
  // Where and how fast it is computed.
  service_tier: z.unknown().optional(),
  prompt_cache_key: z.unknown().optional(),
  prompt_cache_retention: z.unknown().optional(),
  // Nothing is ever stored.
  store: z.literal(false, 'nothing is stored here: leave it out').nullish(),
  // Speaks of tools, and there are none.
  parallel_tool_calls: z.unknown().optional(),
  tool_choice: z.enum(['none', 'auto'], 'there are no tools here: leave it out').nullish(),
  tools: z.array(z.unknown()).max(0, 'tools are not supported: leave them out').nullish(),
  // What everybody gets.
  modalities: z.array(z.literal('text'), 'only text is made here').nullish(),
  response_format: z
    .strictObject({ type: z.literal('text', 'only "text" is supported: texts are not constrained') })
    .nullish()
} as const

/** Why a key that OpenAI's servers know is refused. */
const REFUSED_KEYS: Readonly<Record<string, string>> = {
  functions: 'tools are not supported: leave them out',
  function_call: 'tools are not supported: leave it out',
  audio: 'only text is made here',
  reasoning_effort: 'the model has no effort to set: leave it out',
  verbosity: 'the model has no verbosity to set: leave it out',
  prediction: 'predicted outputs are not supported: leave them out',
  web_search_options: 'there is no web search here: leave it out',
  suffix: 'the text goes on to the right only: leave it out'
}

const SEED = 'must be a whole number from 0 to 2^53 − 1'
const penalty = z.number().min(-2).max(2).nullish()

/** Keys that both kinds of requests have. */
export const COMMON_KEYS = {
  model: z.string(),
  stream: z.boolean().nullish(),
  stream_options: z
    .strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: z.literal(false).nullish() })
    .nullish(),
  stop: z
    .union(
      [z.string().min(1), z.array(z.string().min(1)).max(4)],
      'must be a text, or a list of at most 4 texts, none of them empty'
    )
    .nullish(),
  seed: z.int(SEED).min(0, SEED).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  // Known from vLLM and llama.cpp, not from OpenAI.
  top_k: z.int().min(1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  max_tokens: z.int().min(1).nullish(),
  n: z.int().min(1).max(16).nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  logit_bias: z.record(z.string().regex(/^\d+$/, 'a token id'), z.number().min(-100).max(100)).nullish()
} as const

/**
 * A body as its schema has it.
 *
 * @throws {EndpointError} 400, naming the first key that is wrong or that cannot be honoured
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
    unknown === undefined
      ? issue.message
      : (REFUSED_KEYS[unknown] ?? 'this server does not know it, and passes over nothing: leave it out')
  throw refusal(param, `${param}: ${reason}`, unknown === undefined ? undefined : 'unsupported_parameter')
}
