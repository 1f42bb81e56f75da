import { z } from 'zod'
import { TransportError } from '../logits-transport.ts'
import type { ReportedPosition, ReportedToken } from './reported-position.ts'
import type { TokenName, TokenNames } from './token-names.ts'

const TOKENS_MAX = 100_000
const named = z.object({
  id: z.int().nonnegative().optional(),
  token: z.string().optional(),
  bytes: z.array(z.int().min(0).max(255)).nullish(),
  logprob: z.number()
})

/** Log-probabilities in the format of llama-server and chat completions. */
const listSchema = z.object({
  content: z.array(named.extend({ top_logprobs: z.array(named).max(TOKENS_MAX) })).max(TOKENS_MAX)
})
/** Log-probabilities in the format of OpenAI's legacy completions, vLLM and llama-cpp-python. */
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

/** Tolerance within which two reports of one log-probability are considered equal. */
const SAME = 1e-3

/**
 * The reported positions of a choice.
 *
 * @param topK number of most likely tokens requested
 * @param greedy whether the server had to take the most likely token
 * @throws {TransportError} `garbage` if it contradicts itself
 */
export function reportedPositions(
  logprobs: Logprobs,
  names: TokenNames,
  topK: number,
  greedy: boolean
): ReportedPosition[] {
  const reported = 'content' in logprobs ? ofList(logprobs.content, names) : ofMaps(logprobs, names, topK)
  for (const { taken, highest } of reported)
    if (greedy && taken.logProbability < highest - SAME)
      throw new TransportError(
        'garbage',
        `log-probabilities do not match the tokens: it chose one with ${taken.logProbability} although another has ${highest}`
      )
  return reported.map(({ position }) => position)
}

interface Reported {
  readonly taken: ReportedToken
  readonly highest: number
  readonly position: ReportedPosition
}

function ofList(content: z.infer<typeof listSchema>['content'], names: TokenNames): Reported[] {
  return content.map(({ top_logprobs, ...own }) => {
    const tokens = top_logprobs.map((entry) => tokenOf(entry, names))
    const taken = tokenOf(own, names)
    const key = keyOf(own)
    const place = top_logprobs.findIndex((entry) => keyOf(entry) === key)
    if (place < 0) tokens.push(taken)
    else requireSame(taken.logProbability, tokens[place]!.logProbability)
    return reportedOf(taken, tokens, false)
  })
}

function ofMaps(
  { tokens, token_logprobs, top_logprobs }: z.infer<typeof mapSchema>,
  names: TokenNames,
  topK: number
): Reported[] {
  if (token_logprobs.length !== tokens.length || top_logprobs.length !== tokens.length)
    throw new TransportError('garbage', 'lists of tokens and log-probabilities have different lengths')
  return tokens.map((text, index) => {
    const own = token_logprobs[index]
    const map = top_logprobs[index]
    if (own === null || own === undefined || map === null || map === undefined)
      throw new TransportError('garbage', 'a token without log-probabilities')
    const reported = Object.entries(map).map(([token, logprob]) => tokenOf({ token, logprob }, names))
    const taken = tokenOf({ token: text, logprob: own }, names)
    const listed = map[text]
    if (listed === undefined) reported.push(taken)
    else if (taken.id !== undefined) requireSame(own, listed)
    // Only one of several tokens with the same name remains, and it may have had any rank.
    const incomplete = reported.length < topK || reported.some(({ id }) => id === undefined)
    return reportedOf(taken, reported, incomplete)
  })
}

function reportedOf(taken: ReportedToken, tokens: readonly ReportedToken[], incomplete: boolean): Reported {
  const highest = tokens.reduce(
    (most, { logProbability }) => Math.max(most, logProbability),
    taken.logProbability
  )
  return { taken, highest, position: { taken: taken.id, tokens, incomplete } }
}

function tokenOf({ id, token, bytes, logprob }: z.infer<typeof named>, names: TokenNames): ReportedToken {
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
    throw new TransportError('garbage', `two log-probabilities for the chosen token: ${a} and ${b}`)
}
