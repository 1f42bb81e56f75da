import type { PositionRecord } from '../../wire/index.ts'
import type { HttpExchange } from '../http-exchange.ts'
import { RemoteError, type RemoteText, type Traffic, type TripRequest, trafficSince } from '../remote.ts'
import { type Retries, withRetries } from '../retries.ts'
import type { Completion, CompletionsApi, Prompt } from './completions-api.ts'
import type { ProxyTokens } from './connect-completions.ts'
import type { ServerTraits } from './probe.ts'
import { type ReportedPosition, recordOf } from './reported-position.ts'
import type { TokenNames } from './token-names.ts'

/** A server as used by its texts. */
export interface CompletionsServer {
  readonly exchange: HttpExchange
  readonly api: CompletionsApi
  readonly names: TokenNames
  readonly proxy: ProxyTokens
  readonly traits: ServerTraits
  readonly retries: Retries
  readonly vocabularySize: number
}

/** Number of log-probabilities that add almost no cost. */
const TOP_K_LEAST = 20
/** Maximum number of draws from a server that ends every text immediately. */
const DRAWS = 4

/** One text on a server without sessions, so every trip sends the whole text. */
export class CompletionsText implements RemoteText {
  readonly #server: CompletionsServer
  readonly #traffic: () => Traffic

  constructor(server: CompletionsServer) {
    this.#server = server
    this.#traffic = trafficSince(server.exchange)
  }

  get traffic(): Traffic {
    return this.#traffic()
  }

  async *trip(request: TripRequest, signal: AbortSignal): AsyncGenerator<PositionRecord, void> {
    const { exchange, retries } = this.#server
    // The answer arrives as a whole, so nothing of a broken answer is yielded.
    yield* await withRetries(exchange.address, retries, signal, (each) =>
      request.positions.length > 1 ? this.#judged(request, each) : this.#continued(request, each)
    )
  }

  async close(): Promise<void> {}

  /** The positions after the device's drafts, one prompt each. */
  async #judged(request: TripRequest, signal: AbortSignal): Promise<PositionRecord[]> {
    const { ids } = request
    const positions = asksMore(request) ? request.positions.slice(0, 1) : request.positions
    if (!this.#server.traits.takesLists)
      throw new RemoteError('refused', `${this.#server.exchange.address} accepts one prompt per request`)
    const topK = this.#topK(request)
    const first = ids.length - request.positions.length + 1
    const prompts = positions.map((_, index) => ids.slice(0, first + index))
    for (let draw = 0; draw < DRAWS; draw++) {
      const { choices } = await this.#ask(prompts, 1, topK, 1, signal)
      const unreported = choices.findIndex((reported) => reported.length === 0)
      if (unreported === 0) continue
      return choices
        .slice(0, unreported < 0 ? choices.length : unreported)
        .map(([reported], index) => this.#record(reported!, positions[index]!, topK))
    }
    throw this.#unreported()
  }

  /** The position after the text, and those after the tokens that the server generates. */
  async #continued(request: TripRequest, signal: AbortSignal): Promise<PositionRecord[]> {
    const { ids, positions, draft } = request
    const topK = this.#topK(request)
    const { prompt, doubt } = this.#promptOf(ids)
    const count = asksMore(request) ? 0 : (draft?.count ?? 0)
    const greedy = draft?.settings.temperature === 0 && this.#server.traits.draftsGreedily
    const {
      reported,
      doubt: drawn,
      promptTokens
    } = await this.#drawn(prompt, count + 1, topK, greedy ? 0 : 1, signal)
    const doubts = doubt ?? drawn ?? this.#misread(ids, promptTokens)
    const records: PositionRecord[] = []
    for (const [index, position] of reported.entries()) {
      const record = this.#record(position, index === 0 ? positions[0]! : [], topK)
      const known = position.taken !== undefined && position.taken < this.#server.vocabularySize
      records.push({
        ...record,
        ...(doubts !== undefined && { doubt: doubts }),
        ...(index < count && known && { draft: position.taken! })
      })
      // Positions after a token that the proxy does not have belong to a text that the proxy cannot produce.
      if (!known) break
    }
    return records
  }

  /**
   * A continuation of at least one token. If the text happens to end, or a token is not reported (llama-server omits
   * parts of characters), it draws another: if any token is missing, the positions of the others are unknown.
   */
  async #drawn(
    prompt: Prompt,
    maxTokens: number,
    topK: number,
    temperature: number,
    signal: AbortSignal
  ): Promise<{
    readonly reported: readonly ReportedPosition[]
    readonly promptTokens: number | undefined
    readonly doubt?: string
  }> {
    for (let draw = 0; draw < DRAWS; draw++) {
      const count = draw === 0 ? maxTokens : 1
      const answer = await this.#ask(prompt, count, topK, draw === 0 ? temperature : 1, signal)
      const { choices, promptTokens, madeTokens } = answer
      const reported = choices[0]!
      if (reported.length === 0 || (madeTokens ?? reported.length) !== reported.length) continue
      const known = madeTokens !== undefined || count === 1
      return {
        reported,
        promptTokens,
        ...(!known && { doubt: 'it does not report how many tokens it generated' })
      }
    }
    throw this.#unreported()
  }

  #unreported(): RemoteError {
    return new RemoteError(
      'refused',
      `${this.#server.exchange.address} returned no log-probabilities for the next position in ${DRAWS} attempts`
    )
  }

  async #ask(
    prompt: Prompt | readonly (readonly number[])[],
    maxTokens: number,
    topK: number,
    temperature: number,
    signal: AbortSignal
  ): Promise<Completion> {
    const { api, traits, exchange } = this.#server
    const answer = await api.complete({ prompt, maxTokens, topK, temperature, extras: traits.extras }, signal)
    if (answer.identity !== traits.identity)
      throw new RemoteError(
        'changed',
        `${exchange.address} changed its model mid-text from ${traits.identity} to ${answer.identity}. Start the text again`
      )
    return answer
  }

  #record(reported: ReportedPosition, asked: TripRequest['positions'][number], topK: number): PositionRecord {
    return recordOf(reported, asked, this.#server.vocabularySize, topK)
  }

  #topK({ topK, firstTopK = 0, positions }: TripRequest): number {
    const { topKMax } = this.#server.traits
    if (positions.includes('row')) return topKMax
    return Math.min(topKMax, Math.max(topK, firstTopK, TOP_K_LEAST))
  }

  /** The text as it is sent to the server, and why the server may read different tokens. */
  #promptOf(ids: readonly number[]): { readonly prompt: Prompt; readonly doubt?: string } {
    const { traits, names, proxy } = this.#server
    const { bosId } = proxy.vocabulary
    const rest = (traits.added ?? 0) === 1 && ids[0] === bosId ? ids.slice(1) : ids
    if (traits.takesIds) return { prompt: rest }
    const text = names.textOf(rest)
    if (text === undefined)
      return {
        prompt: new TextDecoder().decode(
          Buffer.concat(rest.map((id) => proxy.vocabulary.tokens[id] ?? new Uint8Array(0)))
        ),
        doubt: 'it accepts only text, and the text ends within a character'
      }
    const again = proxy.encode?.(text)
    const same = again !== undefined && again.length === rest.length && again.every((id, i) => id === rest[i])
    return same
      ? { prompt: text }
      : { prompt: text, doubt: 'it accepts only text, and may tokenize it differently' }
  }

  /** The reason why the server cannot have read these tokens. */
  #misread(ids: readonly number[], promptTokens: number | undefined): string | undefined {
    const { traits, proxy } = this.#server
    if (promptTokens === undefined) return 'it does not report how many tokens it read'
    const begins = ids[0] === proxy.vocabulary.bosId
    const expected = ids.length + (begins ? 0 : (traits.added ?? 0))
    if (promptTokens !== expected) return `it read ${promptTokens} tokens, expected ${expected}`
    return begins || (traits.added ?? 0) === 0
      ? undefined
      : 'it adds a beginning-of-text token to every text: start the text with it'
  }
}

/** Whether more is requested for the first position than for the others, which would then cost as much. */
function asksMore({ topK, firstTopK = 0 }: TripRequest): boolean {
  return firstTopK > Math.max(topK, TOP_K_LEAST)
}
