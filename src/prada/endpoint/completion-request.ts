import { z } from 'zod'
import { refusal } from './endpoint-error.ts'
import { COMMON_KEYS, HARMLESS_KEYS, readBody } from './request-keys.ts'
import { promptTokens, type TextPlan, textPlan } from './text-plan.ts'
import type { TextSource } from './text-source.ts'

/** OpenAI's default for completions. */
const DEFAULT_MAX_TOKENS = 16
/** Most prompts a request. */
const PROMPTS_MAX = 64

const schema = z.strictObject({
  ...COMMON_KEYS,
  user: HARMLESS_KEYS.user,
  // Looked at by hand: a union's errors name no part.
  prompt: z.unknown().optional(),
  logprobs: z.int().min(0).max(20).nullish(),
  best_of: z.int().nullish(),
  echo: z.literal(false, 'the prompt is not repeated: leave it out').nullish(),
  suffix: z.literal('', 'the text goes on to the right only: leave it out').nullish()
})

/**
 * A Completions request as a plan.
 *
 * @throws {EndpointError} 400
 */
export function readCompletionRequest(source: TextSource, body: unknown): TextPlan {
  const request = readBody(schema, body)
  const { best_of, n } = request
  if (best_of != null && best_of !== (n ?? 1))
    throw refusal('best_of', 'best_of: all texts that are made are returned: leave it out, and set n')
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

/** A text, token ids, or a list of either. */
function promptList(given: unknown): readonly Prompt[] {
  if (typeof given === 'string') return [given]
  if (Array.isArray(given) && given.length > 0) {
    if (given.every((one) => Number.isInteger(one))) return [given as number[]]
    if (given.length > PROMPTS_MAX)
      throw refusal('prompt', `prompt: ${given.length} prompts, and a request has at most ${PROMPTS_MAX}`)
    if (given.every((one) => typeof one === 'string')) return given as string[]
    if (given.every((one) => Array.isArray(one) && one.every((id) => Number.isInteger(id))))
      return given as number[][]
  }
  throw refusal('prompt', 'prompt: must be a text, a list of token ids, or a list of either')
}

function knownIds({ tokens }: TextSource, ids: readonly number[]): readonly number[] {
  const strange = ids.find((id) => id < 0 || id >= tokens.length)
  if (strange === undefined) return ids
  throw refusal('prompt', `prompt: there is no token ${strange}: the model has ${tokens.length}`)
}
