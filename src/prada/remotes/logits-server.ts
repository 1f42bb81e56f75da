import { commonPrefix } from '../models/index.ts'
import {
  answerBytesMax,
  createAnswerReader,
  DIGEST_BYTES,
  type Expectation,
  encodeVerifyRequest,
  type PositionRecord
} from '../wire/index.ts'
import { type LogitsTransport, type ServerDescription, TransportError } from './logits-transport.ts'
import {
  type Remote,
  RemoteError,
  type RemoteText,
  type Traffic,
  type TripRequest,
  trafficSince
} from './remote.ts'
import { DEFAULT_RETRIES, pauseOrThrow, type Retries, type RetryOptions, withRetries } from './retries.ts'

/** Tokens of a prompt that are sent at once, so that no request is too long for the server. */
const PART_TOKENS = 256
/** Longest wait for a session to be closed, milliseconds. */
const CLOSE_MS = 2_000

/**
 * Loam's own logits server as a remote.
 *
 * @throws {RemoteError} when it cannot be reached
 */
export async function connectLogitsServer(
  transport: LogitsTransport,
  options: RetryOptions = {},
  signal: AbortSignal = new AbortController().signal
): Promise<Remote> {
  const settings = { ...DEFAULT_RETRIES, ...options }
  const ask = <Value>(work: (signal: AbortSignal) => Promise<Value>, outer: AbortSignal): Promise<Value> =>
    withRetries(transport.address, settings, outer, work)
  const description = await ask((each) => transport.describe(each), signal)
  const vocabulary = await ask((each) => transport.vocabulary(each), signal)
  return {
    name: description.name,
    capabilities: {
      ...description.capabilities,
      draftsMax: Math.min(description.capabilities.draftsMax, PART_TOKENS - 1)
    },
    vocabulary,
    get traffic() {
      return transport.traffic
    },
    start: async (vocabularySize, outer) => {
      const session = await ask((each) => transport.open(vocabularySize, each), outer)
      return new LogitsServerText({ transport, description, settings, vocabularySize }, session)
    }
  }
}

/** A server as its texts see it. */
interface Server {
  readonly transport: LogitsTransport
  readonly description: ServerDescription
  readonly settings: Retries
  readonly vocabularySize: number
}

/** One text on a logits server. */
class LogitsServerText implements RemoteText {
  readonly #server: Server
  readonly #traffic: () => Traffic
  #session: Uint8Array
  /** What the server certainly holds of the text. */
  #held: readonly number[] = []

  constructor(server: Server, session: Uint8Array) {
    this.#server = server
    this.#session = session
    this.#traffic = trafficSince(server.transport)
  }

  get traffic(): Traffic {
    return this.#traffic()
  }

  async *trip(request: TripRequest, signal: AbortSignal): AsyncGenerator<PositionRecord, void> {
    const { settings, transport } = this.#server
    let told = 0
    for (let tries = 1; ; tries++) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(settings.timeoutMs)])
      const answer = this.#attempt(request, deadline)
      try {
        let place = 0
        for await (const record of answer) {
          place++
          // The same question has the same answer: what was told before a break is not told again.
          if (place <= told) continue
          told++
          yield record
        }
        return
      } catch (error) {
        signal.throwIfAborted()
        await pauseOrThrow(transport.address, settings, tries, error, signal)
      } finally {
        await answer.return(undefined)
      }
    }
  }

  async close(): Promise<void> {
    await this.#server.transport.close(this.#session, AbortSignal.timeout(CLOSE_MS)).catch(() => undefined)
  }

  async *#attempt(request: TripRequest, signal: AbortSignal): AsyncGenerator<PositionRecord, void> {
    const { transport, vocabularySize } = this.#server
    try {
      await this.#sendBeginning(request, signal)
      yield* this.#exchange(request, signal)
    } catch (error) {
      if (!(error instanceof TransportError && error.fault === 'unknown-session')) throw error
      // Expired, or the server was started anew: all it takes is the text once more.
      this.#session = await transport.open(vocabularySize, signal)
      this.#held = []
      throw error
    }
  }

  /** Sends what the server has not yet of a long prompt, all but the last part. */
  async #sendBeginning(
    { ids, positions, draft, precision }: TripRequest,
    signal: AbortSignal
  ): Promise<void> {
    for (;;) {
      const known = Math.min(commonPrefix(this.#held, ids), ids.length - positions.length)
      if (ids.length - known + (draft?.count ?? 0) <= PART_TOKENS) return
      const part = { ids: ids.slice(0, known + PART_TOKENS), positions: [[]], topK: 1, precision }
      for await (const _ of this.#exchange(part, signal)) break
    }
  }

  /** One request and its answer, without another try. */
  async *#exchange(trip: TripRequest, signal: AbortSignal): AsyncGenerator<PositionRecord, void> {
    const { transport, description, vocabularySize } = this.#server
    const { ids, positions, draft, noise } = trip
    // A position's row comes only with its token's pass.
    const truncateAt = Math.min(commonPrefix(this.#held, ids), ids.length - positions.length)
    this.#held = this.#held.slice(0, truncateAt)
    const expected: Expectation = {
      ...trip,
      vocabularySize,
      drawn: noise?.drawn ?? 0,
      ...(noise?.reach && { reach: noise.reach }),
      drafts: draft?.count ?? 0,
      draftRows: draft?.rows === true,
      from: ids.length - positions.length + 1
    }
    const bytes = encodeVerifyRequest({
      ...trip,
      session: this.#session,
      truncateAt,
      ids: ids.slice(truncateAt)
    })
    const reader = createAnswerReader(expected)
    const chunks = transport.verify(bytes, answerBytesMax(expected), signal)
    const drafted: number[] = []
    try {
      for await (const chunk of chunks) {
        for (const record of reader.push(chunk)) {
          requireSameModel(description, reader.header!.digest)
          // The server has read all of the text before it tells of any position.
          this.#held = [...ids, ...drafted]
          if (record.draft !== undefined) drafted.push(record.draft)
          yield record
        }
        if (reader.complete) return
      }
      reader.end()
    } finally {
      await chunks.return(undefined)
    }
  }
}

function requireSameModel({ digest, name }: ServerDescription, found: Uint8Array): void {
  const wanted = digest.slice(0, 2 * DIGEST_BYTES)
  const told = Buffer.from(found).toString('hex')
  if (told !== wanted)
    throw new RemoteError(
      'changed',
      `${name} became another model in mid-text: ${told} answers, it was ${wanted}. Begin anew`
    )
}
