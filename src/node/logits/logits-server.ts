import type { PeerId } from '@libp2p/interface'
import { type LogitsTransport, TransportError, vocabularyJson } from '../../prada/remotes/index.ts'
import { decodeVerifyRequest, SESSION_BYTES, sessionOf, TEXT_MAX, WireError } from '../../prada/wire/index.ts'
import { MalformedError } from '../../protocol/index.ts'
import type { Log } from '../log/log.ts'
import { type NetworkNode, registerRequestHandler } from '../network/index.ts'
import { createMemberSessions } from './member-sessions.ts'
import {
  decodeRequest,
  encodeAnswer,
  encodeFailure,
  LOGITS_ANSWER_BYTES_MAX,
  LOGITS_CONCURRENCY,
  LOGITS_PROTOCOL,
  LOGITS_REQUEST_BYTES_MAX,
  LOGITS_TIMEOUT_MS,
  type LogitsOperation
} from './messages.ts'

/** What members are served with. */
export interface LogitsServing {
  /** The logits server behind this peer. */
  readonly transport: LogitsTransport
  /** Whether a peer is a member now. */
  readonly isMember: (peer: PeerId) => boolean
  /** Positions that a member is told of in a minute. */
  readonly positionsPerMinute: number
  readonly log: Log
  readonly now?: () => number
}

/**
 * Serves a logits server to the consortium's members over `/loam/logits/1`. Its limits hold for this peer as a whole; here
 * each member is held to its own: sessions, which no other member can use, positions a minute, requests and bytes.
 *
 * @returns a function that stops serving
 */
export function serveLogits(host: NetworkNode, serving: LogitsServing): Promise<() => Promise<void>> {
  const { transport, isMember, positionsPerMinute, log, now = () => performance.now() } = serving
  const sessions = createMemberSessions(positionsPerMinute, now)
  const answer = async (
    operation: Exclude<LogitsOperation, 'verify'>,
    payload: Uint8Array,
    member: string
  ): Promise<Uint8Array> => {
    const signal = AbortSignal.timeout(LOGITS_TIMEOUT_MS)
    switch (operation) {
      case 'describe':
        return json(await transport.describe(signal))
      case 'vocabulary':
        return json(vocabularyJson(await transport.vocabulary(signal)))
      case 'open': {
        if (payload.length !== 4) throw new MalformedError('a session is opened by 4 bytes')
        const size = Buffer.from(payload).readUInt32LE(0)
        sessions.requireRoom(member)
        const session = await transport.open(size, signal)
        sessions.add(member, session, size)
        return session
      }
      case 'close':
        if (payload.length !== SESSION_BYTES) throw new MalformedError(`a session has ${SESSION_BYTES} bytes`)
        sessions.take(member, payload)
        sessions.remove(payload)
        await transport.close(payload, signal)
        return new Uint8Array(0)
    }
  }
  /** The server's pieces as they come, the first behind a 0. */
  async function* verified(request: Uint8Array, member: string): AsyncGenerator<Uint8Array, void> {
    const { vocabularySize } = sessions.take(
      member,
      asMalformed(() => sessionOf(request))
    )
    const { positions, draft } = asMalformed(() =>
      decodeVerifyRequest(request, { vocabularySize, tokens: TEXT_MAX })
    )
    sessions.count(member, positions.length + (draft?.count ?? 0))
    const signal = AbortSignal.timeout(LOGITS_TIMEOUT_MS)
    let begun = false
    for await (const piece of transport.verify(request, LOGITS_ANSWER_BYTES_MAX - 1, signal)) {
      yield begun ? piece : encodeAnswer(piece)
      begun = true
    }
    if (!begun) yield encodeAnswer(new Uint8Array(0))
  }
  /** Frames, of which the first tells of what fails before it; what fails later breaks the answer off. */
  async function* framesOf(
    frames: AsyncGenerator<Uint8Array, void>,
    from: PeerId
  ): AsyncGenerator<Uint8Array, void> {
    let begun = false
    try {
      for await (const frame of frames) {
        yield frame
        begun = true
      }
    } catch (error) {
      if (begun || error instanceof MalformedError) throw error
      yield failureOf(error, from, log)
    }
  }

  return registerRequestHandler(
    host,
    LOGITS_PROTOCOL,
    async (bytes, from) => {
      if (!isMember(from)) return encodeFailure('refused', 'logits are served to current members alone')
      const { operation, payload } = decodeRequest(bytes)
      if (operation === 'verify') return framesOf(verified(payload, from.toString()), from)
      try {
        return encodeAnswer(await answer(operation, payload, from.toString()))
      } catch (error) {
        if (error instanceof MalformedError) throw error
        return failureOf(error, from, log)
      }
    },
    {
      maxRequestBytes: LOGITS_REQUEST_BYTES_MAX,
      maxResponseBytes: LOGITS_ANSWER_BYTES_MAX,
      timeoutMs: LOGITS_TIMEOUT_MS,
      concurrency: LOGITS_CONCURRENCY,
      // A trip takes one request; a loopback does some hundred a second.
      rate: { burst: 1_000, perSecond: 500 }
    },
    log
  )
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function failureOf(error: unknown, from: PeerId, log: Log): Uint8Array {
  if (error instanceof TransportError) return encodeFailure(error.fault, error.message, error.retryAfterMs)
  if ((error as Error).name === 'ServiceError') {
    const { message, retryAfterMs } = error as Error & { retryAfterMs?: number }
    return encodeFailure('busy', message, retryAfterMs)
  }
  log.warn({ peer: from.toString(), error: String(error) }, 'logits could not be served')
  return encodeFailure('unreachable', 'the logits server behind this member does not answer')
}

function asMalformed<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof WireError) throw new MalformedError(error.message)
    throw error
  }
}
