import { z } from 'zod'
import type { TokenNames } from '../completions/token-names.ts'
import type { ToldPosition, ToldToken } from '../completions/told-position.ts'
import type { HttpExchange } from '../http-exchange.ts'
import { TransportError } from '../logits-transport.ts'

/** What is asked of `/generate`. */
export interface GenerateRequest {
  readonly ids: readonly number[]
  /** How many of the last positions to tell, that behind the whole text included. */
  readonly positions: number
  /** Tokens to make behind the text, with their positions. */
  readonly drafts: number
  readonly topK: number
  /** Ids to tell at every position. */
  readonly wanted: readonly number[]
  /** Whether tokens are told with their text, to compare vocabularies. */
  readonly withText: boolean
}

/** What it answered. */
export interface Generated {
  /** The positions that were asked for, then those behind the made tokens. */
  readonly told: readonly ToldPosition[]
  readonly promptTokens: number
  /** Changes when the server takes other weights; null where it does not say. */
  readonly weightVersion: string | null
}

/** Log-probability, id, text. */
const entrySchema = z.tuple([z.number().nullable(), z.int().nonnegative(), z.string().nullish()])
const listSchema = z.array(z.array(entrySchema).nullable()).nullish()

const answerSchema = z.object({
  meta_info: z.looseObject({
    prompt_tokens: z.int().nonnegative(),
    weight_version: z.string().nullish(),
    input_top_logprobs: listSchema,
    input_token_ids_logprobs: listSchema,
    output_token_logprobs: z.array(entrySchema).nullish(),
    output_top_logprobs: listSchema,
    output_token_ids_logprobs: listSchema
  })
})

type Entry = z.infer<typeof entrySchema>

/** @throws {TransportError} `garbage`, when the answer is not what was asked for */
export async function generate(
  exchange: HttpExchange,
  names: TokenNames,
  request: GenerateRequest,
  signal: AbortSignal
): Promise<Generated> {
  const { ids, positions, drafts, topK, wanted, withText } = request
  const body = {
    input_ids: ids,
    sampling_params: {
      max_new_tokens: drafts + 1,
      temperature: 1,
      top_p: 1,
      top_k: -1,
      min_p: 0,
      ignore_eos: true
    },
    return_logprob: true,
    // What is told first is of no position: it is one earlier.
    logprob_start_len: positions > 1 ? ids.length - positions : -1,
    top_logprobs_num: topK,
    ...(wanted.length > 0 && { token_ids_logprob: wanted }),
    return_text_in_logprobs: withText
  }
  const response = await exchange.send(
    'POST',
    'generate',
    { type: 'application/json', bytes: Buffer.from(JSON.stringify(body)) },
    signal
  )
  const { meta_info: told } = await exchange.json(response, answerSchema, signal)
  const behindGiven = (lists: z.infer<typeof listSchema>): readonly (readonly Entry[] | null)[] =>
    positions > 1 ? lastOf(lists ?? [], positions - 1) : []
  const top = [...behindGiven(told.input_top_logprobs), ...(told.output_top_logprobs ?? [])]
  const byId = [...behindGiven(told.input_token_ids_logprobs), ...(told.output_token_ids_logprobs ?? [])]
  const made = told.output_token_logprobs ?? []
  if (made.length === 0 || made.length > drafts + 1 || top.length !== positions - 1 + made.length)
    throw new TransportError(
      'garbage',
      `log-probabilities of ${top.length} positions, where ${positions + drafts} were asked for`
    )
  return {
    told: top.map((list, index) => {
      const taken = index < positions - 1 ? undefined : made[index - positions + 1]
      const entries = [...(list ?? []), ...(byId[index] ?? []), ...(taken === undefined ? [] : [taken])]
      return { taken: taken?.[1], tokens: distinct(entries, names), incomplete: false }
    }),
    promptTokens: told.prompt_tokens,
    weightVersion: told.weight_version ?? null
  }
}

function lastOf<Value>(list: readonly Value[], count: number): readonly Value[] {
  if (list.length < count)
    throw new TransportError('garbage', `log-probabilities of ${list.length} given tokens, not ${count}`)
  return list.slice(list.length - count)
}

function distinct(entries: readonly Entry[], names: TokenNames): ToldToken[] {
  const known = new Map<number, ToldToken>()
  for (const [logProbability, id, text] of entries) {
    if (logProbability === null) throw new TransportError('garbage', `token ${id} without a log-probability`)
    const before = known.get(id)
    if (before !== undefined && Math.abs(before.logProbability - logProbability) > 1e-3)
      throw new TransportError('garbage', `two log-probabilities of token ${id}`)
    if (before === undefined) known.set(id, { id: names.idOf({ id, ...(text && { text }) }), logProbability })
  }
  return [...known.values()]
}
