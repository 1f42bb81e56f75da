import type { PositionRecord } from '../../wire/index.ts'
import { recordOf } from '../completions/reported-position.ts'
import type { TokenNames } from '../completions/token-names.ts'
import type { HttpExchange } from '../http-exchange.ts'
import { RemoteError, type RemoteText, type Traffic, type TripRequest, trafficSince } from '../remote.ts'
import { type Retries, withRetries } from '../retries.ts'
import { generate } from './generate.ts'

/** A server as used by its texts. */
export interface SglangServer {
  readonly exchange: HttpExchange
  readonly names: TokenNames
  readonly retries: Retries
  readonly vocabularySize: number
  /** Weight version at the time of connecting. */
  readonly weightVersion: string | null
}

/** Number of log-probabilities that add almost no cost. */
const TOP_K_LEAST = 20

/** One text on an SGLang server, which caches prefixes by itself. */
export class SglangText implements RemoteText {
  readonly #server: SglangServer
  readonly #traffic: () => Traffic

  constructor(server: SglangServer) {
    this.#server = server
    this.#traffic = trafficSince(server.exchange)
  }

  get traffic(): Traffic {
    return this.#traffic()
  }

  async *trip(request: TripRequest, signal: AbortSignal): AsyncGenerator<PositionRecord, void> {
    const { exchange, retries } = this.#server
    yield* await withRetries(exchange.address, retries, signal, (each) => this.#reported(request, each))
  }

  async close(): Promise<void> {}

  async #reported(trip: TripRequest, signal: AbortSignal): Promise<PositionRecord[]> {
    const { exchange, names, vocabularySize, weightVersion } = this.#server
    const { ids, positions, draft } = trip
    const topK = Math.min(vocabularySize, Math.max(trip.topK, trip.firstTopK ?? 0, TOP_K_LEAST))
    const wanted = [...new Set(positions.flatMap((position) => (position === 'row' ? [] : position)))]
    const drafts = draft?.count ?? 0
    const answer = await generate(
      exchange,
      names,
      { ids, positions: positions.length, drafts, topK, wanted, withText: false },
      signal
    )
    if (answer.weightVersion !== weightVersion)
      throw new RemoteError(
        'changed',
        `${exchange.address} changed its weights mid-text from ${weightVersion} to ${answer.weightVersion}. Start the text again`
      )
    const doubt =
      answer.promptTokens === ids.length
        ? undefined
        : `it read ${answer.promptTokens} tokens, expected ${ids.length}`
    const records: PositionRecord[] = []
    for (const [index, reported] of answer.reported.entries()) {
      const drafted = index - positions.length + 1
      const known = reported.taken !== undefined && reported.taken < vocabularySize
      records.push({
        ...recordOf(reported, positions[index] ?? [], vocabularySize, topK),
        ...(doubt !== undefined && { doubt }),
        ...(drafted >= 0 && drafted < drafts && known && { draft: reported.taken! })
      })
      if (drafted >= 0 && !known) break
    }
    return records
  }
}
