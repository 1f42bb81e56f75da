import { randomInt } from 'node:crypto'
import type { z } from 'zod'
import { promptTokens as idsOfPrompt } from '../../model/generate/prompt-tokens.ts'
import { refusal } from './endpoint-error.ts'
import type { COMMON_KEYS } from './request-keys.ts'
import type { TextRequest, TextSource } from './text-source.ts'

/** Seeds that are drawn where a request has none. */
const SEEDS = 2 ** 47

/** All that a request's texts have in common. */
export type TextSettings = Omit<TextRequest, 'ids' | 'stream' | 'signal'>

/** What a request asks for, of whichever kind it is. */
export interface TextPlan {
  /** Beginnings, each continued `choices` times. */
  readonly prompts: readonly (readonly number[])[]
  readonly choices: number
  readonly settings: TextSettings
  readonly stop: readonly string[]
  readonly stream: boolean
  /** Whether a stream ends with the usage. */
  readonly includeUsage: boolean
}

type CommonBody = { readonly [Key in keyof typeof COMMON_KEYS]?: z.infer<(typeof COMMON_KEYS)[Key]> }

/** What of a request is its kind's own. */
export interface PlanParts {
  /** What prompts are called in the request. */
  readonly promptParam: string
  readonly prompts: readonly (readonly number[])[]
  readonly maxTokens: number | undefined
  readonly alternatives: number | undefined
}

/** Most texts a request. */
const TEXTS_MAX = 64

/**
 * Puts a plan together. Where a request says nothing, OpenAI's defaults hold: temperature 1 and no filter; a text may fill
 * the context.
 *
 * @throws {EndpointError} 400
 */
export function textPlan(source: TextSource, body: CommonBody, parts: PlanParts): TextPlan {
  const { promptParam, prompts, maxTokens = source.context, alternatives } = parts
  for (const ids of prompts) requireRoom(source, ids, promptParam)
  const choices = body.n ?? 1
  if (prompts.length * choices > TEXTS_MAX)
    throw refusal(
      'n',
      `n: ${prompts.length * choices} texts are asked for, and a request has at most ${TEXTS_MAX}`
    )
  const bias = biasOf(body.logit_bias, source)
  return {
    prompts,
    choices,
    stop: [...(body.stop == null ? [] : [body.stop].flat()), ...(source.stop ?? [])],
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    settings: {
      maxTokens,
      seed: body.seed ?? randomInt(SEEDS),
      temperature: body.temperature ?? 1,
      ...(body.top_k != null && { topK: body.top_k }),
      ...(body.top_p != null && { topP: body.top_p }),
      ...(body.min_p != null && { minP: body.min_p }),
      ...(body.presence_penalty != null && { presencePenalty: body.presence_penalty }),
      ...(body.frequency_penalty != null && { frequencyPenalty: body.frequency_penalty }),
      ...(bias !== undefined && { bias }),
      ...(alternatives !== undefined && { alternatives })
    }
  }
}

function requireRoom({ context }: TextSource, ids: readonly number[], param: string): void {
  if (ids.length === 0)
    throw refusal(param, `${param}: the text is empty, and the model has no token that begins one`)
  if (ids.length >= context)
    throw refusal(
      param,
      `${param}: ${ids.length} tokens leave no room in the context of ${context}: shorten it`,
      'context_length_exceeded'
    )
}

function biasOf(
  given: CommonBody['logit_bias'],
  { tokens }: TextSource
): ReadonlyMap<number, number> | undefined {
  if (given == null) return undefined
  const bias = new Map(Object.entries(given).map(([id, value]) => [Number(id), value]))
  for (const id of bias.keys())
    if (id >= tokens.length)
      throw refusal('logit_bias', `logit_bias: there is no token ${id}: the model has ${tokens.length}`)
  return bias
}

/**
 * Refuses a text that has more tokens than the context by its length alone.
 *
 * @throws {EndpointError} 400
 */
export function requireShort({ tokens, context }: TextSource, text: string, param: string): void {
  const longest = tokens.reduce((most, token) => Math.max(most, token?.length ?? 0), 1)
  if (text.length / longest <= context) return
  throw refusal(
    param,
    `${param}: ${text.length} characters are more than the context of ${context} tokens has room for: shorten it`,
    'context_length_exceeded'
  )
}

/**
 * Tokens of a text, with what the tokenizer puts before every text.
 *
 * @throws {EndpointError} 400, for a text that has more tokens than the context by its length alone: it is not cut into
 * tokens, which takes long
 */
export function promptTokens(source: TextSource, text: string, param: 'messages' | 'prompt'): number[] {
  const { tokenizer } = source
  requireShort(source, text, param)
  // An empty text is refused later on, with the others that cannot be continued.
  if (text === '' && tokenizer.bosId === undefined) return []
  // A client may have written what texts begin with.
  return idsOfPrompt(tokenizer, text, param === 'messages' ? { isTemplated: true } : { mayHaveBegun: true })
}
