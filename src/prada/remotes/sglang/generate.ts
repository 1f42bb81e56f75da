import { z } from 'zod'
import type { ReportedPosition, ReportedToken } from '../completions/reported-position.ts'
import type { TokenNames } from '../completions/token-names.ts'
import type { HttpExchange } from '../http-exchange.ts'
import { TransportError } from '../logits-transport.ts'

/** A request to `/generate`. */
export interface GenerateRequest {
  readonly ids: readonly number[]
  /** Number of last positions to report, including the one after the whole text. */
  readonly positions: number
  /** Number of tokens to generate after the text, with their positions. */
  readonly drafts: number
  readonly topK: number
  /** Ids to report at every position. */
  readonly wanted: readonly number[]
  /** Whether to return the text of tokens, to compare vocabularies. */
  readonly withText: boolean
}

/** The answer. */
export interface Generated {
  /** The requested positions, then those after the generated tokens. */
  readonly reported: readonly ReportedPosition[]
  readonly promptTokens: number
  /** Changes when the server loads other weights; null if not reported. */
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

/** @throws {TransportError} `garbage` if the answer does not match the request */
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
    // The first entry precedes the requested positions.
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
  const { meta_info: reported } = await exchange.json(response, answerSchema, signal)
  const afterGiven = (lists: z.infer<typeof listSchema>): readonly (readonly Entry[] | null)[] =>
    positions > 1 ? lastOf(lists ?? [], positions - 1) : []
  const top = [...afterGiven(reported.input_top_logprobs), ...(reported.output_top_logprobs ?? [])]
  const byId = [
    ...afterGiven(reported.input_token_ids_logprobs),
    ...(reported.output_token_ids_logprobs ?? [])
  ]
  const made = reported.output_token_logprobs ?? []
  if (made.length === 0 || made.length > drafts + 1 || top.length !== positions - 1 + made.length)
    throw new TransportError(
      'garbage',
      `log-probabilities of ${top.length} positions, but ${positions + drafts} were requested`
    )
  return {
    reported: top.map((list, index) => {
      const taken = index < positions - 1 ? undefined : made[index - positions + 1]
      const entries = [...(list ?? []), ...(byId[index] ?? []), ...(taken === undefined ? [] : [taken])]
      return { taken: taken?.[1], tokens: distinct(entries, names), incomplete: false }
    }),
    promptTokens: reported.prompt_tokens,
    weightVersion: reported.weight_version ?? null
  }
}

function lastOf<Value>(list: readonly Value[], count: number): readonly Value[] {
  if (list.length < count)
    throw new TransportError('garbage', `log-probabilities of ${list.length} given tokens, expected ${count}`)
  return list.slice(list.length - count)
}

function distinct(entries: readonly Entry[], names: TokenNames): ReportedToken[] {
  const known = new Map<number, ReportedToken>()
  for (const [logProbability, id, text] of entries) {
    if (logProbability === null) throw new TransportError('garbage', `token ${id} without a log-probability`)
    const before = known.get(id)
    if (before !== undefined && Math.abs(before.logProbability - logProbability) > 1e-3)
      throw new TransportError('garbage', `two log-probabilities for token ${id}`)
    if (before === undefined) known.set(id, { id: names.idOf({ id, ...(text && { text }) }), logProbability })
  }
  return [...known.values()]
}
