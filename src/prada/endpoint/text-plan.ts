import { randomInt } from 'node:crypto'
import type { z } from 'zod'
import { promptTokens as idsOfPrompt } from '../../model/generate/prompt-tokens.ts'
import { refusal } from './endpoint-error.ts'
import type { COMMON_KEYS } from './request-keys.ts'
import type { TextRequest, TextSource } from './text-source.ts'

/** Range of the random seed for a request without one. */
const SEEDS = 2 ** 47

/** Settings shared by all texts of a request. */
export type TextSettings = Omit<TextRequest, 'ids' | 'stream' | 'signal'>

/** What a request asks for, for both kinds of requests. */
export interface TextPlan {
  /** Prompts, each continued `choices` times. */
  readonly prompts: readonly (readonly number[])[]
  readonly choices: number
  readonly settings: TextSettings
  readonly stop: readonly string[]
  readonly stream: boolean
  /** Whether a stream ends with the usage. */
  readonly includeUsage: boolean
}

type CommonBody = { readonly [Key in keyof typeof COMMON_KEYS]?: z.infer<(typeof COMMON_KEYS)[Key]> }

/** The parts of a request that depend on its kind. */
export interface PlanParts {
  /** Name of the request key that holds the prompts. */
  readonly promptParam: string
  readonly prompts: readonly (readonly number[])[]
  readonly maxTokens: number | undefined
  readonly alternatives: number | undefined
}

/** Maximum number of texts per request. */
const TEXTS_MAX = 64

/**
 * Builds a plan. Keys that a request omits have OpenAI's defaults: temperature 1 and no filter. A text may fill the
 * context.
 *
 * @throws {EndpointError} 400
 */
export function textPlan(source: TextSource, body: CommonBody, parts: PlanParts): TextPlan {
  const { promptParam, prompts, maxTokens = source.context, alternatives } = parts
  for (const ids of prompts) requireRoom(source, ids, promptParam)
  const choices = body.n ?? 1
  if (prompts.length * choices > TEXTS_MAX)
    throw refusal('n', `n: at most ${TEXTS_MAX} texts per request, got ${prompts.length * choices}`)
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
  if (ids.length === 0) throw refusal(param, `${param}: the text is empty, and the model has no BOS token`)
  if (ids.length >= context)
    throw refusal(
      param,
      `${param}: ${ids.length} tokens leave no room in the context of ${context} tokens: shorten the text`,
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
      throw refusal(
        'logit_bias',
        `logit_bias: token ${id} does not exist: the model has ${tokens.length} tokens`
      )
  return bias
}

/**
 * Rejects a text whose length alone shows that it has more tokens than the context.
 *
 * @throws {EndpointError} 400
 */
export function requireShort({ tokens, context }: TextSource, text: string, param: string): void {
  const longest = tokens.reduce((most, token) => Math.max(most, token?.length ?? 0), 1)
  if (text.length / longest <= context) return
  throw refusal(
    param,
    `${param}: ${text.length} characters do not fit in the context of ${context} tokens: shorten the text`,
    'context_length_exceeded'
  )
}

/**
 * Tokens of a text, including those that the tokenizer adds before every text.
 *
 * @throws {EndpointError} 400 if the length of the text alone shows that it has more tokens than the context; it is
 * then not tokenized, which would be slow
 */
export function promptTokens(source: TextSource, text: string, param: 'messages' | 'prompt'): number[] {
  const { tokenizer } = source
  requireShort(source, text, param)
  // An empty text is rejected later, with the others that cannot be continued.
  if (text === '' && tokenizer.bosId === undefined) return []
  // The client may already have included the BOS token.
  return idsOfPrompt(tokenizer, text, param === 'messages' ? { isTemplated: true } : { mayHaveBegun: true })
}
