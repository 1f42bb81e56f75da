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
  /** Longest text, tokens, where it says so. */
  readonly context?: number
  /** What kind of server it is, where it says so. */
  readonly owner?: string
}

/** What is known of the proxy, which a server of texts is compared with. */
export interface ProxyTokens {
  readonly vocabulary: Vocabulary
  /** Cuts a text into ids, without BOS; a server that takes texts alone is exact only where it is given. */
  readonly encode?: (text: string) => readonly number[]
}

/** Most drafts a trip: each costs a pass of the server, wanted or not. */
const DRAFTS_MAX = 16

/**
 * Any server of OpenAI's `/v1/completions` that tells log-probabilities of the likeliest tokens. Where prompts may be lists
 * of ids, it judges the device's drafts: one prompt a position. It drafts in any case: tokens that it makes are kept while
 * they are those of the combined distribution.
 *
 * @throws {RemoteError} when it does not tell what is needed
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
