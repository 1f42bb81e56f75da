import type { PositionRecord } from '../../wire/index.ts'
import type { TokenNames } from '../completions/token-names.ts'
import { recordOf } from '../completions/told-position.ts'
import type { HttpExchange } from '../http-exchange.ts'
import { RemoteError, type RemoteText, type Traffic, type TripRequest, trafficSince } from '../remote.ts'
import { type Retries, withRetries } from '../retries.ts'
import { generate } from './generate.ts'

/** A server as its texts see it. */
export interface SglangServer {
  readonly exchange: HttpExchange
  readonly names: TokenNames
  readonly retries: Retries
  readonly vocabularySize: number
  /** When it was connected to. */
  readonly weightVersion: string | null
}

/** Log-probabilities that cost next to nothing more. */
const TOP_K_LEAST = 20

/** One text on an SGLang server, which keeps the prefixes that it has seen by itself. */
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
    yield* await withRetries(exchange.address, retries, signal, (each) => this.#told(request, each))
  }

  async close(): Promise<void> {}

  async #told(trip: TripRequest, signal: AbortSignal): Promise<PositionRecord[]> {
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
        `${exchange.address} took other weights in mid-text: ${answer.weightVersion} answers, it was ${weightVersion}. Begin anew`
      )
    const doubt =
      answer.promptTokens === ids.length
        ? undefined
        : `it read ${answer.promptTokens} tokens, not ${ids.length}`
    const records: PositionRecord[] = []
    for (const [index, told] of answer.told.entries()) {
      const drafted = index - positions.length + 1
      const known = told.taken !== undefined && told.taken < vocabularySize
      records.push({
        ...recordOf(told, positions[index] ?? [], vocabularySize, topK),
        ...(doubt !== undefined && { doubt }),
        ...(drafted >= 0 && drafted < drafts && known && { draft: told.taken! })
      })
      if (drafted >= 0 && !known) break
    }
    return records
  }
}
