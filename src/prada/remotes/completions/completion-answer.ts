import { z } from 'zod'
import { TransportError } from '../logits-transport.ts'
import type { TokenName, TokenNames } from './token-names.ts'
import type { ToldPosition, ToldToken } from './told-position.ts'

const TOKENS_MAX = 100_000
const named = z.object({
  id: z.int().nonnegative().optional(),
  token: z.string().optional(),
  bytes: z.array(z.int().min(0).max(255)).nullish(),
  logprob: z.number()
})

/** As llama-server and chat completions tell log-probabilities. */
const listSchema = z.object({
  content: z.array(named.extend({ top_logprobs: z.array(named).max(TOKENS_MAX) })).max(TOKENS_MAX)
})
/** As completions of OpenAI's first kind do, and vLLM and llama-cpp-python after it. */
const mapSchema = z.object({
  tokens: z.array(z.string()).max(TOKENS_MAX),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable())
})

/** An answer of `/v1/completions`. */
export const completionSchema = z.object({
  model: z.string().optional(),
  system_fingerprint: z.string().nullish(),
  choices: z
    .array(
      z.object({
        index: z.int().nonnegative(),
        finish_reason: z.string().nullish(),
        logprobs: z.union([listSchema, mapSchema]).nullish()
      })
    )
    .max(1_024),
  usage: z
    .object({ prompt_tokens: z.int().nonnegative(), completion_tokens: z.int().nonnegative().optional() })
    .nullish()
})

type Logprobs = NonNullable<z.infer<typeof completionSchema>['choices'][number]['logprobs']>

/** Two numbers for one log-probability that differ by more are two different ones. */
const SAME = 1e-3

/**
 * What a choice tells, position by position.
 *
 * @param topK likeliest tokens that were asked for
 * @param greedy whether the server was to take the likeliest token
 * @throws {TransportError} `garbage`, when it contradicts itself
 */
export function toldPositions(
  logprobs: Logprobs,
  names: TokenNames,
  topK: number,
  greedy: boolean
): ToldPosition[] {
  const told = 'content' in logprobs ? ofList(logprobs.content, names) : ofMaps(logprobs, names, topK)
  for (const { taken, highest } of told)
    if (greedy && taken.logProbability < highest - SAME)
      throw new TransportError(
        'garbage',
        `log-probabilities that are not those of its tokens: it took one of ${taken.logProbability} where another has ${highest}`
      )
  return told.map(({ position }) => position)
}

interface Told {
  readonly taken: ToldToken
  readonly highest: number
  readonly position: ToldPosition
}

function ofList(content: z.infer<typeof listSchema>['content'], names: TokenNames): Told[] {
  return content.map(({ top_logprobs, ...own }) => {
    const tokens = top_logprobs.map((entry) => tokenOf(entry, names))
    const taken = tokenOf(own, names)
    const key = keyOf(own)
    const place = top_logprobs.findIndex((entry) => keyOf(entry) === key)
    if (place < 0) tokens.push(taken)
    else requireSame(taken.logProbability, tokens[place]!.logProbability)
    return toldOf(taken, tokens, false)
  })
}

function ofMaps(
  { tokens, token_logprobs, top_logprobs }: z.infer<typeof mapSchema>,
  names: TokenNames,
  topK: number
): Told[] {
  if (token_logprobs.length !== tokens.length || top_logprobs.length !== tokens.length)
    throw new TransportError('garbage', 'lists of tokens and log-probabilities of different lengths')
  return tokens.map((text, index) => {
    const own = token_logprobs[index]
    const map = top_logprobs[index]
    if (own === null || own === undefined || map === null || map === undefined)
      throw new TransportError('garbage', 'a token without log-probabilities')
    const told = Object.entries(map).map(([token, logprob]) => tokenOf({ token, logprob }, names))
    const taken = tokenOf({ token: text, logprob: own }, names)
    const listed = map[text]
    if (listed === undefined) told.push(taken)
    else if (taken.id !== undefined) requireSame(own, listed)
    // Of several tokens with one name only one is left; it may have been any of the likeliest.
    const incomplete = told.length < topK || told.some(({ id }) => id === undefined)
    return toldOf(taken, told, incomplete)
  })
}

function toldOf(taken: ToldToken, tokens: readonly ToldToken[], incomplete: boolean): Told {
  const highest = tokens.reduce(
    (most, { logProbability }) => Math.max(most, logProbability),
    taken.logProbability
  )
  return { taken, highest, position: { taken: taken.id, tokens, incomplete } }
}

function tokenOf({ id, token, bytes, logprob }: z.infer<typeof named>, names: TokenNames): ToldToken {
  const name: TokenName = {
    ...(id !== undefined && { id }),
    ...(bytes !== null && bytes !== undefined && { bytes }),
    ...(token !== undefined && { text: token })
  }
  return { id: names.idOf(name), logProbability: logprob }
}

function keyOf({ id, token, bytes }: z.infer<typeof named>): string {
  return JSON.stringify(id ?? bytes ?? token)
}

function requireSame(a: number, b: number): void {
  if (Math.abs(a - b) > SAME)
    throw new TransportError('garbage', `two log-probabilities of its own token: ${a} and ${b}`)
}
