import { z } from 'zod'
import { TEXT_MAX } from '../../wire/index.ts'
import type { ListedModel, ProxyTokens } from '../completions/connect-completions.ts'
import { createTokenNames } from '../completions/token-names.ts'
import type { HttpExchange } from '../http-exchange.ts'
import type { Remote, RemoteText } from '../remote.ts'
import { type Retries, withRetries } from '../retries.ts'
import { generate } from './generate.ts'
import { SglangText } from './sglang-text.ts'

/** Maximum number of log-probabilities requested by rank and by id; the server itself has no limit. */
const TOP_K_MAX = 256
const WANTED_MAX = 128
const DRAFTS_MAX = 16
/** Answers vary with the batch. The difference is assumed, not measured. */
const BATCH_ERROR = 2 ** -10
/** Number of tokens whose names are compared on connecting. */
const NAMES_COMPARED = 64

const infoSchema = z.looseObject({ model_path: z.string().max(1_000) })

/**
 * An SGLang server by its native `/generate` API, following its documentation: log-probabilities of given tokens from
 * `logprob_start_len` on, of the most likely (`top_logprobs_num`) and of tokens by id (`token_ids_logprob`). One trip
 * judges the device's drafts, and open positions are requested again by id. Not tested against a real server in this
 * repository.
 *
 * @throws {RemoteError} if its answers have another form, or its token ids differ from the proxy's
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
