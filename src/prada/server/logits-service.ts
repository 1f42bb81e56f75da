import { randomBytes } from 'node:crypto'
import type { Vocabulary } from '../core/index.ts'
import type { TokenModel } from '../models/index.ts'
import type { RemoteCapabilities } from '../remotes/remote.ts'
import { DIGEST_BYTES, encodeAnswerHeader, encodeRecord, SESSION_BYTES, sessionOf } from '../wire/index.ts'
import { type Allowance, createAllowance } from './allowance.ts'
import { answerRecords, type InTurn, ranksAt } from './answer-records.ts'
import { asMalformed, readRequest } from './check-request.ts'
import { createFairQueue, type FairQueue } from './fair-queue.ts'
import type { LogitsLimits } from './limits.ts'
import { ServiceError } from './service-error.ts'
import { createSessions, type Session, type Sessions } from './sessions.ts'

/** A served model. */
export interface ServedModel {
  readonly name: string
  readonly model: TokenModel
  /** Digest of its configuration and weights, 64 hex digits. */
  readonly digest: string
  readonly vocabulary: Vocabulary
}

/** What a client learns before it starts. */
export interface ModelDescription {
  readonly name: string
  readonly digest: string
  readonly capabilities: RemoteCapabilities
}

/** Serves a model's distributions to clients, over any transport. */
export interface LogitsService {
  readonly description: ModelDescription
  readonly vocabulary: Vocabulary
  readonly limits: LogitsLimits
  /** Open sessions, tokens in their caches, and requests that are waiting or computing. */
  readonly load: { readonly sessions: number; readonly cachedTokens: number; readonly requests: number }
  /** @throws {ServiceError} */
  open(client: string, vocabularySize: number): { readonly session: string; readonly expiryMs: number }
  /**
   * Answers a request in the wire format with a header and one record per position, in pieces. The request is checked,
   * and its first position computed, before the first piece. A later request for the same session ends it.
   *
   * @throws {ServiceError}
   */
  verify(client: string, request: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array, void>
  /** @throws {ServiceError} `unknown-session` */
  close(client: string, session: string): void
  /** Drops expired sessions. */
  sweep(): void
  dispose(): Promise<void>
}

/** Target size of a piece, bytes. */
const PIECE_BYTES = 16 * 1_024

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
  const answering = { served, limits, sessions, queue, allowance }
  const vocabularyMax = Math.min(model.vocabularySize, served.vocabulary.tokens.length)

  return {
    description: descriptionOf(served, limits),
    vocabulary: served.vocabulary,
    limits,
    get load() {
      return { sessions: sessions.size, cachedTokens: sessions.cachedTokens, requests: queue.length }
    },
    open(client, vocabularySize) {
      if (!Number.isInteger(vocabularySize) || vocabularySize < 1 || vocabularySize > vocabularyMax)
        throw new ServiceError(
          'refused',
          `vocabularySize must be at most ${vocabularyMax}, got ${vocabularySize}`
        )
      return { session: sessions.open(client, vocabularySize).id, expiryMs: limits.expiryMs }
    },
    async *verify(client, bytes, signal) {
      if (bytes.length > limits.requestBytes)
        throw new ServiceError('too-large', `a request may have at most ${limits.requestBytes} bytes`)
      const id = Buffer.from(asMalformed(() => sessionOf(bytes))).toString('hex')
      const { session, superseded } = await sessions.take(client, id)
      const answer = answerTo(answering, client, bytes, session, AbortSignal.any([signal, superseded]))
      try {
        yield* answer
      } catch (error) {
        // The rest is not read, because the client has sent another request.
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

function descriptionOf({ name, digest, model }: ServedModel, limits: LogitsLimits): ModelDescription {
  return {
    name,
    digest,
    capabilities: {
      topKMax: limits.topKMax,
      wantedMax: limits.wantedMax,
      rows: limits.rows,
      noise: true,
      drafts: true,
      judgesDrafts: true,
      batchError: model.batchError ?? 0,
      draftsMax: Math.max(0, Math.min(limits.tokensPerRequest - 1, model.context - 1)),
      context: model.context
    }
  }
}

/** The parts of the service that answering a request uses. */
interface Answering {
  readonly served: ServedModel
  readonly limits: LogitsLimits
  readonly sessions: Sessions
  readonly queue: FairQueue
  readonly allowance: Allowance
}

/** Header and records, combined into pieces of about a packet. */
async function* answerTo(
  { served, limits, sessions, queue, allowance }: Answering,
  client: string,
  bytes: Uint8Array,
  session: Session,
  signal: AbortSignal
): AsyncGenerator<Uint8Array, void> {
  const request = readRequest(bytes, session, limits, served.model.context)
  const { positions, draft, truncateAt, ids } = request
  const growth = truncateAt + ids.length + (draft?.count ?? 0) - session.text.length
  if (growth > 0 && sessions.cachedTokens + growth > limits.cachedTokens)
    throw new ServiceError('full', 'the server has no room for more tokens', limits.expiryMs)
  allowance.take(client, positions.length + (draft?.count ?? 0))
  const from = truncateAt + ids.length - positions.length + 1
  const inTurn: InTurn = (work) => queue.run(client, signal, work)
  const digest = Buffer.from(served.digest, 'hex').subarray(0, DIGEST_BYTES)
  let reported = 0
  let pending: Uint8Array[] = [encodeAnswerHeader({ digest, from })]
  for await (const record of answerRecords(request, session, inTurn, signal)) {
    const asked = positions[reported++] ?? []
    const shape = {
      ...ranksAt(request, reported - 1),
      drawn: request.noise?.drawn ?? 0,
      precision: request.precision,
      vocabularySize: session.vocabularySize
    }
    pending.push(encodeRecord(record, shape, asked === 'row' ? [] : asked))
    // A drafted record took its own pass, and the device can already use it.
    if (draft === undefined && byteCount(pending) < PIECE_BYTES) continue
    yield joined(pending)
    pending = []
  }
  if (pending.length > 0) yield joined(pending)
}

function byteCount(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces))
}
