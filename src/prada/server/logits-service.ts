import { randomBytes } from 'node:crypto'
import {
  decide,
  gumbelNoise,
  partialRow,
  type RemoteRow,
  remoteRow,
  type SharedDraw,
  type Vocabulary
} from '../core/index.ts'
import type { TokenModel } from '../models/index.ts'
import type { RemoteCapabilities } from '../remotes/remote.ts'
import {
  DIGEST_BYTES,
  decodeVerifyRequest,
  encodeAnswerHeader,
  encodeRecord,
  type PositionRecord,
  SESSION_BYTES,
  sessionOf,
  type VerifyRequest,
  WireError
} from '../wire/index.ts'
import { createFairQueue } from './fair-queue.ts'
import type { LogitsLimits } from './limits.ts'
import { ServiceError } from './service-error.ts'
import { createSessions, type Session } from './sessions.ts'

/** A model that is served. */
export interface ServedModel {
  readonly name: string
  readonly model: TokenModel
  /** Of its configuration and weights, 64 hex digits. */
  readonly digest: string
  readonly vocabulary: Vocabulary
}

/** What a client is told before it begins. */
export interface ModelDescription {
  readonly name: string
  readonly digest: string
  readonly capabilities: RemoteCapabilities
}

/** Tells clients of a model's distributions, whatever the transport is. */
export interface LogitsService {
  readonly description: ModelDescription
  readonly vocabulary: Vocabulary
  readonly limits: LogitsLimits
  /** Sessions, tokens in their caches, requests that wait or compute. */
  readonly load: { readonly sessions: number; readonly cachedTokens: number; readonly requests: number }
  /** @throws {ServiceError} */
  open(client: string, vocabularySize: number): { readonly session: string; readonly expiryMs: number }
  /**
   * Answers a request of the wire's kind: a header and a record a position, in pieces. It is checked, and its first
   * position computed, before the first piece; a later request for the same session ends it.
   *
   * @throws {ServiceError}
   */
  verify(client: string, request: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array, void>
  /** @throws {ServiceError} `unknown-session` */
  close(client: string, session: string): void
  /** Forgets what has expired. */
  sweep(): void
  dispose(): Promise<void>
}

/** Bytes that are sent at once. */
const PIECE_BYTES = 16 * 1_024
/** A minute, milliseconds. */
const MINUTE_MS = 60_000
/** Clients whose positions are counted. */
const CLIENTS_MAX = 1_024

/** @param now milliseconds; only lengths of time matter */
export function createLogitsService(
  served: ServedModel,
  limits: LogitsLimits,
  now: () => number = () => performance.now()
): LogitsService {
  const { model } = served
  const sessions = createSessions(model, limits, () => randomBytes(SESSION_BYTES).toString('hex'), now)
  const queue = createFairQueue(limits)
  const allowance = createAllowance(limits.positionsPerMinute, now)
  const digest = Buffer.from(served.digest, 'hex').subarray(0, DIGEST_BYTES)
  const vocabularyMax = Math.min(model.vocabularySize, served.vocabulary.tokens.length)

  const requestOf = (bytes: Uint8Array, session: Session): VerifyRequest => {
    const request = asMalformed(() =>
      decodeVerifyRequest(bytes, {
        vocabularySize: session.vocabularySize,
        tokens: limits.tokensPerRequest
      })
    )
    checkRequest(request, session, limits, model.context)
    return request
  }

  async function* records(
    request: VerifyRequest,
    session: Session,
    signal: AbortSignal
  ): AsyncGenerator<PositionRecord, void> {
    const { ids, positions, draft, precision } = request
    const { text, vocabularySize: size } = session
    const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> =>
      queue.run(session.client, signal, work)
    let length = request.truncateAt + ids.length
    const logits = await inTurn(() => {
      text.truncate(request.truncateAt)
      return text.appendRows(ids, positions.length)
    })
    const drafts = draft?.count ?? 0
    for (let index = 0; index < positions.length + drafts; index++) {
      signal.throwIfAborted()
      const asked = positions[index] ?? []
      const row = remoteRow(logits[index]!, size, precision)
      const draw = drawOf(request, request.truncateAt + ids.length - positions.length + 1 + index)
      const body: PositionRecord =
        asked === 'row'
          ? { kind: 'row', row }
          : {
              kind: 'part',
              part: partialRow(row, { topK: topKAt(request, index), wanted: asked, ...(draw && { draw }) })
            }
      const drafting =
        draft !== undefined && index >= positions.length - 1 && index < positions.length - 1 + drafts
      if (!drafting) {
        yield body
        continue
      }
      const id = draftFrom(row, draft, length)
      length++
      const next = inTurn(() => text.appendRows([id], 1))
      next.catch(() => undefined)
      yield { ...body, draft: id }
      logits.push(...(await next))
    }
  }

  /** Header and records, put together into pieces that are worth a packet. */
  async function* answerTo(
    client: string,
    bytes: Uint8Array,
    session: Session,
    signal: AbortSignal
  ): AsyncGenerator<Uint8Array, void> {
    const request = requestOf(bytes, session)
    const { positions, draft, truncateAt, ids } = request
    const growth = truncateAt + ids.length + (draft?.count ?? 0) - session.text.length
    if (growth > 0 && sessions.cachedTokens + growth > limits.cachedTokens)
      throw new ServiceError('full', 'the server has no room for more tokens', limits.expiryMs)
    allowance.take(client, positions.length + (draft?.count ?? 0))
    const from = truncateAt + ids.length - positions.length + 1
    let told = 0
    let pending: Uint8Array[] = [encodeAnswerHeader({ digest, from })]
    for await (const record of records(request, session, signal)) {
      const asked = positions[told++] ?? []
      const shape = {
        topK: topKAt(request, told - 1),
        drawn: request.noise?.drawn ?? 0,
        precision: request.precision,
        vocabularySize: session.vocabularySize
      }
      pending.push(encodeRecord(record, shape, asked === 'row' ? [] : asked))
      // A drafted record took a pass of its own: the device can go on with it.
      if (draft === undefined && byteCount(pending) < PIECE_BYTES) continue
      yield joined(pending)
      pending = []
    }
    if (pending.length > 0) yield joined(pending)
  }

  return {
    description: {
      name: served.name,
      digest: served.digest,
      capabilities: {
        topKMax: limits.topKMax,
        wantedMax: limits.wantedMax,
        rows: limits.rows,
        noise: true,
        drafts: true,
        draftsMax: Math.max(0, Math.min(limits.tokensPerRequest - 1, model.context - 1)),
        context: model.context
      }
    },
    vocabulary: served.vocabulary,
    limits,
    get load() {
      return { sessions: sessions.size, cachedTokens: sessions.cachedTokens, requests: queue.length }
    },
    open(client, vocabularySize) {
      if (!Number.isInteger(vocabularySize) || vocabularySize < 1 || vocabularySize > vocabularyMax)
        throw new ServiceError('refused', `the model has ${vocabularyMax} ids, not ${vocabularySize}`)
      return { session: sessions.open(client, vocabularySize).id, expiryMs: limits.expiryMs }
    },
    async *verify(client, bytes, signal) {
      if (bytes.length > limits.requestBytes)
        throw new ServiceError('too-large', `a request has at most ${limits.requestBytes} bytes`)
      const id = Buffer.from(asMalformed(() => sessionOf(bytes))).toString('hex')
      const { session, superseded } = await sessions.take(client, id)
      const answer = answerTo(client, bytes, session, AbortSignal.any([signal, superseded]))
      try {
        yield* answer
      } catch (error) {
        // Nobody reads the rest: the client has asked for something else.
        if (!superseded.aborted) throw error
      } finally {
        await answer.return(undefined)
        sessions.release(session)
      }
    },
    close: (client, session) => sessions.close(client, session),
    sweep: () => sessions.sweep(),
    dispose: () => model.dispose()
  }
}

/** The remote's own token with the device's noise. */
function draftFrom(
  row: RemoteRow,
  { settings, seed, stream }: NonNullable<VerifyRequest['draft']>,
  position: number
): number {
  return decide(row, {
    settings,
    offset: new Float64Array(row.length),
    noise: gumbelNoise(seed, position, stream)
  })
}

function topKAt({ topK, firstTopK }: VerifyRequest, index: number): number {
  return index === 0 ? (firstTopK ?? topK) : topK
}

/** What the device's noise lets the remote say of a position. */
function drawOf({ noise }: VerifyRequest, position: number): SharedDraw | undefined {
  if (noise === undefined) return undefined
  const { seed, stream, temperature, drawn } = noise
  return { count: drawn, temperature, noise: gumbelNoise(seed, position, stream) }
}

function checkRequest(
  request: VerifyRequest,
  { text }: Session,
  limits: LogitsLimits,
  context: number
): void {
  const { truncateAt, ids, topK, positions, draft } = request
  if (truncateAt > text.length)
    throw new ServiceError(
      'unknown-session',
      `the session has ${text.length} tokens, not ${truncateAt}: open another`
    )
  const ranked = Math.max(topK, request.firstTopK ?? 0, request.noise?.drawn ?? 0)
  if (ranked > limits.topKMax)
    throw new ServiceError('refused', `at most the top ${limits.topKMax} are told, not ${ranked}`)
  for (const position of positions) {
    if (position === 'row' && !limits.rows) throw new ServiceError('refused', 'whole rows are not told here')
    if (position !== 'row' && position.length > limits.wantedMax)
      throw new ServiceError('refused', `at most ${limits.wantedMax} ids of a position are told by number`)
  }
  const length = truncateAt + ids.length + (draft?.count ?? 0)
  if (length > context)
    throw new ServiceError('refused', `a text of ${length} tokens is longer than the context of ${context}`)
}

/** Positions a minute, by client: a bucket that fills evenly. */
function createAllowance(
  perMinute: number,
  now: () => number
): { take(client: string, positions: number): void } {
  const spent = new Map<string, { amount: number; at: number }>()
  return {
    take(client, positions) {
      const time = now()
      const before = spent.get(client)
      const left =
        before === undefined ? 0 : Math.max(0, before.amount - ((time - before.at) * perMinute) / MINUTE_MS)
      if (left + positions > perMinute)
        throw new ServiceError(
          'busy',
          `a client is told of ${perMinute} positions a minute`,
          Math.ceil(((left + positions - perMinute) / perMinute) * MINUTE_MS)
        )
      spent.delete(client)
      spent.set(client, { amount: left + positions, at: time })
      // The one that was last here longest ago has the least to remember.
      if (spent.size > CLIENTS_MAX) spent.delete(spent.keys().next().value!)
    }
  }
}

function byteCount(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces))
}

function asMalformed<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof WireError) throw new ServiceError('malformed', error.message)
    throw error
  }
}
