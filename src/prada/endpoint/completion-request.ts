import { z } from 'zod'
import { refusal } from './endpoint-error.ts'
import { COMMON_KEYS, HARMLESS_KEYS, readBody } from './request-keys.ts'
import { promptTokens, type TextPlan, textPlan } from './text-plan.ts'
import type { TextSource } from './text-source.ts'

/** OpenAI's default for completions. */
const DEFAULT_MAX_TOKENS = 16
/** Maximum number of prompts per request. */
const PROMPTS_MAX = 64

const schema = z.strictObject({
  ...COMMON_KEYS,
  user: HARMLESS_KEYS.user,
  // Checked by hand, since errors of a union do not name the failing part.
  prompt: z.unknown().optional(),
  logprobs: z.int().min(0).max(20).nullish(),
  best_of: z.int().nullish(),
  echo: z.literal(false, 'echoing the prompt is not supported: leave it out').nullish(),
  suffix: z.literal('', 'inserting text is not supported: leave it out').nullish()
})

/**
 * Converts a Completions request into a plan.
 *
 * @throws {EndpointError} 400
 */
export function readCompletionRequest(source: TextSource, body: unknown): TextPlan {
  const request = readBody(schema, body)
  const { best_of, n } = request
  if (best_of != null && best_of !== (n ?? 1))
    throw refusal(
      'best_of',
      'best_of: not supported, since all generated texts are returned: leave it out, and set n'
    )
  return textPlan(source, request, {
    promptParam: 'prompt',
    prompts: promptList(request.prompt).map((prompt) =>
      typeof prompt === 'string' ? promptTokens(source, prompt, 'prompt') : knownIds(source, prompt)
    ),
    maxTokens: request.max_tokens ?? DEFAULT_MAX_TOKENS,
    alternatives: request.logprobs ?? undefined
  })
}

type Prompt = string | readonly number[]

/** Parses a text, token ids, or a list of either. */
function promptList(given: unknown): readonly Prompt[] {
  if (typeof given === 'string') return [given]
  if (Array.isArray(given) && given.length > 0) {
    if (given.every((one) => Number.isInteger(one))) return [given as number[]]
    if (given.length > PROMPTS_MAX)
      throw refusal('prompt', `prompt: at most ${PROMPTS_MAX} prompts per request, got ${given.length}`)
    if (given.every((one) => typeof one === 'string')) return given as string[]
    if (given.every((one) => Array.isArray(one) && one.every((id) => Number.isInteger(id))))
      return given as number[][]
  }
  throw refusal('prompt', 'prompt: must be a string, a list of token ids, or a list of either')
}

function knownIds({ tokens }: TextSource, ids: readonly number[]): readonly number[] {
  const strange = ids.find((id) => id < 0 || id >= tokens.length)
  if (strange === undefined) return ids
  throw refusal('prompt', `prompt: token ${strange} does not exist: the model has ${tokens.length} tokens`)
}
