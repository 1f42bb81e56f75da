import type { PositionRecord } from '../../wire/index.ts'
import type { HttpExchange } from '../http-exchange.ts'
import { RemoteError, type RemoteText, type Traffic, type TripRequest, trafficSince } from '../remote.ts'
import { type Retries, withRetries } from '../retries.ts'
import type { Completion, CompletionsApi, Prompt } from './completions-api.ts'
import type { ProxyTokens } from './connect-completions.ts'
import type { ServerTraits } from './probe.ts'
import type { TokenNames } from './token-names.ts'
import { recordOf, type ToldPosition } from './told-position.ts'

/** A server as its texts see it. */
export interface CompletionsServer {
  readonly exchange: HttpExchange
  readonly api: CompletionsApi
  readonly names: TokenNames
  readonly proxy: ProxyTokens
  readonly traits: ServerTraits
  readonly retries: Retries
  readonly vocabularySize: number
}

/** Log-probabilities that cost next to nothing more. */
const TOP_K_LEAST = 20
/** Draws after which a server that ends every text at once is not asked again. */
const DRAWS = 4

/** One text on a server without sessions: every trip sends it whole. */
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
    // An answer comes as a whole, so that nothing of a broken one is told.
    yield* await withRetries(exchange.address, retries, signal, (each) =>
      request.positions.length > 1 ? this.#judged(request, each) : this.#continued(request, each)
    )
  }

  async close(): Promise<void> {}

  /** The positions behind the device's drafts: one prompt each. */
  async #judged(request: TripRequest, signal: AbortSignal): Promise<PositionRecord[]> {
    const { ids } = request
    const positions = asksMore(request) ? request.positions.slice(0, 1) : request.positions
    if (!this.#server.traits.takesLists)
      throw new RemoteError('refused', `${this.#server.exchange.address} takes one prompt at a time`)
    const topK = this.#topK(request)
    const first = ids.length - request.positions.length + 1
    const prompts = positions.map((_, index) => ids.slice(0, first + index))
    for (let draw = 0; draw < DRAWS; draw++) {
      const { choices } = await this.#ask(prompts, 1, topK, 1, signal)
      const untold = choices.findIndex((told) => told.length === 0)
      if (untold === 0) continue
      return choices
        .slice(0, untold < 0 ? choices.length : untold)
        .map(([told], index) => this.#record(told!, positions[index]!, topK))
    }
    throw this.#untold()
  }

  /** The position behind the text, and those behind the tokens that the server makes. */
  async #continued(request: TripRequest, signal: AbortSignal): Promise<PositionRecord[]> {
    const { ids, positions, draft } = request
    const topK = this.#topK(request)
    const { prompt, doubt } = this.#promptOf(ids)
    const count = asksMore(request) ? 0 : (draft?.count ?? 0)
    const greedy = draft?.settings.temperature === 0 && this.#server.traits.draftsGreedily
    const {
      told,
      doubt: drawn,
      promptTokens
    } = await this.#drawn(prompt, count + 1, topK, greedy ? 0 : 1, signal)
    const doubts = doubt ?? drawn ?? this.#misread(ids, promptTokens)
    const records: PositionRecord[] = []
    for (const [index, position] of told.entries()) {
      const record = this.#record(position, index === 0 ? positions[0]! : [], topK)
      const known = position.taken !== undefined && position.taken < this.#server.vocabularySize
      records.push({
        ...record,
        ...(doubts !== undefined && { doubt: doubts }),
        ...(index < count && known && { draft: position.taken! })
      })
      // What follows a token that the proxy does not have belongs to a text that the proxy cannot make.
      if (!known) break
    }
    return records
  }

  /**
   * A continuation of at least one token. Where the text ends by chance, or a token is not told of, as llama-server does with
   * parts of characters, another is drawn: without all of its tokens nobody knows which positions the others are.
   */
  async #drawn(
    prompt: Prompt,
    maxTokens: number,
    topK: number,
    temperature: number,
    signal: AbortSignal
  ): Promise<{
    readonly told: readonly ToldPosition[]
    readonly promptTokens: number | undefined
    readonly doubt?: string
  }> {
    for (let draw = 0; draw < DRAWS; draw++) {
      const count = draw === 0 ? maxTokens : 1
      const answer = await this.#ask(prompt, count, topK, draw === 0 ? temperature : 1, signal)
      const { choices, promptTokens, madeTokens } = answer
      const told = choices[0]!
      if (told.length === 0 || (madeTokens ?? told.length) !== told.length) continue
      const known = madeTokens !== undefined || count === 1
      return { told, promptTokens, ...(!known && { doubt: 'it does not say how many tokens it made' }) }
    }
    throw this.#untold()
  }

  #untold(): RemoteError {
    return new RemoteError(
      'refused',
      `${this.#server.exchange.address} tells no log-probabilities of what comes next here, in ${DRAWS} attempts`
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
        `${exchange.address} became another model in mid-text: ${answer.identity} answers, it was ${traits.identity}. Begin anew`
      )
    return answer
  }

  #record(told: ToldPosition, asked: TripRequest['positions'][number], topK: number): PositionRecord {
    return recordOf(told, asked, this.#server.vocabularySize, topK)
  }

  #topK({ topK, firstTopK = 0, positions }: TripRequest): number {
    const { topKMax } = this.#server.traits
    if (positions.includes('row')) return topKMax
    return Math.min(topKMax, Math.max(topK, firstTopK, TOP_K_LEAST))
  }

  /** The text as the server is given it, and why it may read other tokens. */
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
        doubt: 'it takes text alone, and the text ends within a character'
      }
    const again = proxy.encode?.(text)
    const same = again !== undefined && again.length === rest.length && again.every((id, i) => id === rest[i])
    return same
      ? { prompt: text }
      : { prompt: text, doubt: 'it takes text alone, and may cut it into other tokens' }
  }

  /** Why the server cannot have read these tokens. */
  #misread(ids: readonly number[], promptTokens: number | undefined): string | undefined {
    const { traits, proxy } = this.#server
    if (promptTokens === undefined) return 'it does not say how many tokens it read'
    const begins = ids[0] === proxy.vocabulary.bosId
    const expected = ids.length + (begins ? 0 : (traits.added ?? 0))
    if (promptTokens !== expected) return `it read ${promptTokens} tokens, not ${expected}`
    return begins || (traits.added ?? 0) === 0
      ? undefined
      : 'it puts a beginning-of-text token before every text: begin the text with it'
  }
}

/** Whether the first position is asked for more than the others, which would then cost as much. */
function asksMore({ topK, firstTopK = 0 }: TripRequest): boolean {
  return firstTopK > Math.max(topK, TOP_K_LEAST)
}
