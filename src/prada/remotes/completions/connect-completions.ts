import type { Vocabulary } from '../../core/index.ts'
import { TEXT_MAX } from '../../wire/index.ts'
import type { HttpExchange } from '../http-exchange.ts'
import type { Remote, RemoteText } from '../remote.ts'
import { type Retries, withRetries } from '../retries.ts'
import { createCompletionsApi } from './completions-api.ts'
import { CompletionsText } from './completions-text.ts'
import { probe } from './probe.ts'
import { createTokenNames } from './token-names.ts'

/** A model that `/v1/models` lists. */
export interface ListedModel {
  readonly id: string
  /** Maximum text length in tokens, if reported. */
  readonly context?: number
  /** Kind of server, if reported. */
  readonly owner?: string
}

/** Facts about the proxy that a text server is checked against. */
export interface ProxyTokens {
  readonly vocabulary: Vocabulary
  /** Tokenizes a text, without BOS. A server that accepts only texts is exact only if this is given. */
  readonly encode?: (text: string) => readonly number[]
}

/** Maximum number of drafts per trip. Each costs a pass of the server, whether or not it is used. */
const DRAFTS_MAX = 16

/**
 * Any server of OpenAI's `/v1/completions` that returns log-probabilities of the most likely tokens. If prompts may be
 * lists of ids, it judges the device's drafts, one prompt per position. It always drafts itself as well: its tokens are
 * kept as long as they match those of the combined distribution.
 *
 * @throws {RemoteError} if it does not return what is needed
 */
export async function connectCompletions(
  exchange: HttpExchange,
  model: ListedModel,
  proxy: ProxyTokens,
  retries: Retries,
  signal: AbortSignal
): Promise<Remote> {
  const names = createTokenNames(proxy.vocabulary)
  const api = createCompletionsApi(exchange, model.id, names)
  const traits = await withRetries(exchange.address, retries, signal, (each) =>
    probe(api, names, proxy.vocabulary, each)
  )
  const { topKMax, rows, takesLists, batchError } = traits
  return {
    name: `${model.id} at ${exchange.address}`,
    capabilities: {
      topKMax,
      wantedMax: 0,
      rows,
      noise: false,
      drafts: true,
      judgesDrafts: takesLists,
      batchError,
      draftsMax: DRAFTS_MAX,
      context: model.context ?? TEXT_MAX
    },
    vocabulary: proxy.vocabulary,
    get traffic() {
      return exchange.traffic
    },
    start: async (vocabularySize): Promise<RemoteText> =>
      new CompletionsText({ exchange, api, names, proxy, traits, retries, vocabularySize })
  }
}
