import type { PeerId } from '@libp2p/interface'
import type { z } from 'zod'
import {
  descriptionSchema,
  type LogitsTransport,
  TransportError,
  vocabularySchema
} from '../../prada/remotes/index.ts'
import { SESSION_BYTES } from '../../prada/wire/index.ts'
import { isMalformed, NetworkError, type NetworkNode, request, requestFrames } from '../network/index.ts'
import {
  decodeAnswer,
  encodeRequest,
  jsonOf,
  LOGITS_ANSWER_BYTES_MAX,
  LOGITS_CONCURRENCY,
  LOGITS_PROTOCOL,
  LOGITS_TIMEOUT_MS,
  type LogitsOperation
} from './messages.ts'

/** Requests under way at once: one fewer than a member may have, as an earlier one may still be closing there. */
const UNDER_WAY_MAX = LOGITS_CONCURRENCY - 1

/** A member's logits server over `/loam/logits/1`. */
export function createMemberTransport(host: NetworkNode, peer: PeerId): LogitsTransport {
  const turns = createTurns(UNDER_WAY_MAX)
  let [sent, received] = [0, 0]

  const ask = (
    operation: LogitsOperation,
    payload: Uint8Array | undefined,
    maxResponseBytes: number,
    signal: AbortSignal
  ): Promise<Uint8Array> =>
    turns.run(signal, async () => {
      const bytes = encodeRequest(operation, payload)
      sent += bytes.length
      try {
        const answer = await request(host, peer, LOGITS_PROTOCOL, bytes, {
          timeoutMs: LOGITS_TIMEOUT_MS,
          maxResponseBytes: maxResponseBytes + 1,
          signal
        })
        received += answer.length
        return decodeAnswer(answer)
      } catch (error) {
        throw asTransportError(error, peer, signal)
      }
    })
  const parsed = async <Value>(
    operation: LogitsOperation,
    schema: z.ZodType<Value>,
    signal: AbortSignal
  ): Promise<Value> => {
    const found = schema.safeParse(jsonOf(await ask(operation, undefined, LOGITS_ANSWER_BYTES_MAX, signal)))
    if (found.success) return found.data
    throw new TransportError('garbage', `no ${operation} of a logits server`)
  }

  return {
    address: `/p2p/${peer}`,
    describe: (signal) => parsed('describe', descriptionSchema, signal),
    vocabulary: (signal) => parsed('vocabulary', vocabularySchema, signal),
    async open(vocabularySize, signal) {
      const size = Buffer.alloc(4)
      size.writeUInt32LE(vocabularySize)
      const session = await ask('open', size, LOGITS_ANSWER_BYTES_MAX, signal)
      if (session.length !== SESSION_BYTES)
        throw new TransportError('garbage', `a session of ${session.length} bytes`)
      return session
    },
    async *verify(payload, bytesMax, signal) {
      const release = await turns.take(signal)
      const bytes = encodeRequest('verify', payload)
      sent += bytes.length
      const frames = requestFrames(host, peer, LOGITS_PROTOCOL, bytes, {
        timeoutMs: LOGITS_TIMEOUT_MS,
        maxResponseBytes: Math.min(Math.max(bytesMax, 4_096), LOGITS_ANSWER_BYTES_MAX) + 1,
        signal
      })
      const next = async (): Promise<Uint8Array | undefined> => {
        const { value } = await frames.next()
        received += value?.length ?? 0
        return value ?? undefined
      }
      let rest = true
      try {
        let frame = await next()
        if (frame === undefined) throw new TransportError('garbage', 'an answer without a frame')
        for (let piece: Uint8Array | undefined = decodeAnswer(frame); piece !== undefined; piece = frame) {
          yield piece
          frame = await next()
        }
        rest = false
      } catch (error) {
        rest = false
        throw asTransportError(error, peer, signal)
      } finally {
        // The member ends an answer whose rest is not wanted when the next request comes; until then it is under way there.
        if (rest) void drained(next).finally(release)
        else release()
      }
    },
    async close(session, signal) {
      await ask('close', session, LOGITS_ANSWER_BYTES_MAX, signal)
    },
    get traffic() {
      return { sent, received }
    }
  }
}

/** Reads and drops the rest of an answer, whatever becomes of it. */
async function drained(next: () => Promise<Uint8Array | undefined>): Promise<void> {
  try {
    while ((await next()) !== undefined);
  } catch {
    // Nobody waits for it.
  }
}

interface Turns {
  /** @returns what gives the turn back */
  take(signal: AbortSignal): Promise<() => void>
  run<Value>(signal: AbortSignal, work: () => Promise<Value>): Promise<Value>
}

/** Runs so much at once; the rest waits. */
function createTurns(most: number): Turns {
  let running = 0
  const waiting: (() => void)[] = []
  const release = (): void => {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
  const take = async (signal: AbortSignal): Promise<() => void> => {
    signal.throwIfAborted()
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    if (signal.aborted) {
      release()
      signal.throwIfAborted()
    }
    return release
  }
  return {
    take,
    async run(signal, work) {
      const done = await take(signal)
      try {
        return await work()
      } finally {
        done()
      }
    }
  }
}

function asTransportError(error: unknown, peer: PeerId, signal: AbortSignal): unknown {
  if (error instanceof TransportError) return error
  if (signal.aborted) return signal.reason
  const cause = error instanceof NetworkError ? error.cause : error
  if ((cause as Error | undefined)?.name === 'UnsupportedProtocolError')
    return new TransportError(
      'refused',
      `${peer} serves no logits: it has to run loam peer --serve-logits URL`,
      {
        cause: error
      }
    )
  const fault = isMalformed(error) ? 'garbage' : 'unreachable'
  return new TransportError(fault, (error as Error).message, { cause: error })
}
