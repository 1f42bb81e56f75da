import { z } from 'zod'
import { TEXT_MAX } from '../../wire/index.ts'
import type { ListedModel, ProxyTokens } from '../completions/connect-completions.ts'
import { createTokenNames } from '../completions/token-names.ts'
import type { HttpExchange } from '../http-exchange.ts'
import type { Remote, RemoteText } from '../remote.ts'
import { type Retries, withRetries } from '../retries.ts'
import { generate } from './generate.ts'
import { SglangText } from './sglang-text.ts'

/** Log-probabilities that are asked for at most, by rank and by id; the server itself has no bound. */
const TOP_K_MAX = 256
const WANTED_MAX = 128
const DRAFTS_MAX = 16
/** Answers differ with the batch; the difference is not measured here. */
const BATCH_ERROR = 2 ** -10
/** Tokens whose names are compared when it is connected to. */
const NAMES_COMPARED = 64

const infoSchema = z.looseObject({ model_path: z.string().max(1_000) })

/**
 * An SGLang server by its own `/generate`, as its documentation has it: log-probabilities of given tokens from
 * `logprob_start_len` on, of the likeliest (`top_logprobs_num`) and of tokens by id (`token_ids_logprob`), so that one trip
 * judges the device's drafts and open positions are asked again by id. Not run against a real server in this repository.
 *
 * @throws {RemoteError} when it does not answer so, or numbers tokens otherwise than the proxy
 */
export async function connectSglang(
  exchange: HttpExchange,
  model: ListedModel,
  proxy: ProxyTokens,
  retries: Retries,
  signal: AbortSignal
): Promise<Remote> {
  const names = createTokenNames(proxy.vocabulary)
  const { modelPath, weightVersion } = await withRetries(exchange.address, retries, signal, async (each) => {
    const info = await exchange.json(
      await exchange.send('GET', 'get_model_info', undefined, each),
      infoSchema,
      each
    )
    const first = proxy.vocabulary.tokens.findIndex((token) => token !== undefined)
    const answer = await generate(
      exchange,
      names,
      { ids: [first], positions: 1, drafts: 0, topK: NAMES_COMPARED, wanted: [], withText: true },
      each
    )
    return { modelPath: info.model_path, weightVersion: answer.weightVersion }
  })
  return {
    name: `${modelPath} at ${exchange.address}`,
    capabilities: {
      topKMax: TOP_K_MAX,
      wantedMax: WANTED_MAX,
      rows: false,
      noise: false,
      drafts: true,
      judgesDrafts: true,
      batchError: BATCH_ERROR,
      draftsMax: DRAFTS_MAX,
      context: model.context ?? TEXT_MAX
    },
    vocabulary: proxy.vocabulary,
    start: async (vocabularySize): Promise<RemoteText> =>
      new SglangText({ exchange, names, retries, vocabularySize, weightVersion })
  }
}
