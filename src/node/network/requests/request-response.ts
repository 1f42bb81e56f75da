import '../core/promise-polyfill.ts'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { MalformedError } from '../../../protocol/index.ts'
import type { Log } from '../../log/log.ts'
import type { NetworkNode } from '../core/network-host.ts'
import { type RateLimit, TokenBuckets } from '../limits/token-bucket.ts'
import { withDeadline } from './deadline.ts'
import { NetworkError } from './network-error.ts'

/**
 * Answers one request, with one frame or with several as they come; a rejection ends the stream. A MalformedError counts as
 * an offence of the requester.
 */
export type RequestHandler = (
  request: Uint8Array,
  from: PeerId
) => Promise<Uint8Array | AsyncIterable<Uint8Array>>

/** Limits per peer of a protocol; all but the frame lengths have defaults. */
export interface RequestLimits {
  readonly maxRequestBytes: number
  readonly maxResponseBytes: number
  /** Timeout of one exchange, including the handler's work. */
  readonly timeoutMs?: number
  /** Maximum number of concurrent exchanges per peer. */
  readonly concurrency?: number
  /** Rate of exchanges per peer. */
  readonly rate?: RateLimit
  /** Rate of response bytes per peer, so that small requests cannot cause large responses indefinitely. */
  readonly answerRate?: RateLimit
  /** Whether relays, which are not members, may ask too. */
  readonly openToRelays?: boolean
}

/** Default limits: occasional requests. */
export const REQUEST_LIMITS = {
  timeoutMs: 10_000,
  concurrency: 2,
  rate: { burst: 20, perSecond: 5 },
  answerRate: { burst: 64 * 1024 * 1024, perSecond: 8 * 1024 * 1024 }
} satisfies Partial<RequestLimits>

/** Options of a request. */
export interface RequestOptions {
  readonly timeoutMs: number
  readonly maxResponseBytes: number
  readonly signal?: AbortSignal
  /** The connection to ask over; any, or a new one, where none is given. */
  readonly connection?: Connection
}

/** Room for the length prefix beside the largest frame. */
const PREFIX_BYTES_MAX = 16

/**
 * Serves a protocol of one length-prefixed request frame and its response per stream: one frame, or as many as the handler
 * gives. A peer that asks for too
 * much, too often or too slowly is disconnected, without effect on others.
 *
 * @returns a function that stops serving
 */
export async function registerRequestHandler(
  host: NetworkNode,
  protocol: string,
  handler: RequestHandler,
  limits: RequestLimits,
  log: Log
): Promise<() => Promise<void>> {
  const { maxRequestBytes, maxResponseBytes, timeoutMs, concurrency, rate, answerRate } = {
    ...REQUEST_LIMITS,
    ...limits
  }
  const underWay = new KeyedCounter()
  const asking = new TokenBuckets(rate)
  /** Ends what is under way when the host stops: a handler may take longer than that. */
  const stopped = new AbortController()
  const end = (): void => stopped.abort()
  host.libp2p.addEventListener('stop', end)
  const answering = new TokenBuckets({ ...answerRate, burst: answerRate.burst + maxResponseBytes })

  const exchange = async (stream: Stream, peer: PeerId, signal: AbortSignal) => {
    async function* answer(request: Uint8Array): AsyncGenerator<Uint8Array, void> {
      host.traffic.add(protocol, 'received', request.length)
      const response = await handler(request, peer)
      let total = 0
      for await (const frame of response instanceof Uint8Array ? [response] : response) {
        total += frame.length
        if (total > maxResponseBytes)
          throw new Error(`the answer has ${total} bytes, at most ${maxResponseBytes}`)
        if (!answering.take(peer.toString(), performance.now(), frame.length))
          throw new Error(`${peer} has had too many bytes of ${protocol}`)
        yield frame
      }
    }
    const onSent = (bytes: number) => host.traffic.add(protocol, 'sent', bytes)
    await exchangeFrames(stream, maxRequestBytes, answer, onSent, signal)
  }

  const refuse = (stream: Stream, peer: PeerId): boolean => {
    const key = peer.toString()
    if (limits.openToRelays !== true && !host.isMember(peer)) {
      stream.abort(new NetworkError('protocol', `${protocol} is for members only`))
      return true
    }
    if (underWay.count(key) < concurrency && asking.take(key, performance.now())) return false
    stream.abort(new NetworkError('protocol', `${key} sends too many requests of ${protocol}`))
    host.limits.report(peer, 'excess', `too many requests of ${protocol}`)
    return true
  }

  const serve = async (stream: Stream, peer: PeerId) => {
    if (refuse(stream, peer)) return
    const key = peer.toString()
    underWay.add(key)
    let work: Promise<void> | undefined
    try {
      await withDeadline(`answering ${key} on ${protocol}`, timeoutMs, stopped.signal, (signal) => {
        work = exchange(stream, peer, signal)
        return work
      })
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      if (isMalformed(error))
        host.limits.report(peer, 'malformed', `an invalid request of ${protocol}: ${error.message}`)
      log.debug({ peer: key, protocol, error: String(error) }, 'a request was not answered')
    }
    // A handler that continues after the deadline still counts: its work is not free.
    await work?.catch(() => undefined)
    underWay.remove(key)
  }

  await host.libp2p.handle(protocol, (stream, connection) => void serve(stream, connection.remotePeer), {
    // More than the limit, so that `serve` refuses the excess instead of libp2p resetting the connection.
    maxInboundStreams: 2 * concurrency + 1,
    // Also over limited relayed connections: a response that does not fit fails, and another peer is asked.
    runOnLimitedConnection: true
  })
  return async () => {
    host.libp2p.removeEventListener('stop', end)
    end()
    await host.libp2p.unhandle(protocol)
  }
}

/** Reads one frame, writes the frames of its answer, closes. */
async function exchangeFrames(
  stream: Stream,
  maxRequestBytes: number,
  answer: (request: Uint8Array) => AsyncIterable<Uint8Array>,
  onSent: (bytes: number) => void,
  signal: AbortSignal
): Promise<void> {
  const frames = lpStream(stream, {
    maxDataLength: maxRequestBytes,
    maxBufferSize: maxRequestBytes + PREFIX_BYTES_MAX
  })
  for await (const frame of answer((await frames.read({ signal })).subarray())) {
    await frames.write(frame, { signal })
    onSent(frame.length)
  }
  await stream.close({ signal })
}

/** Counts by key; a key whose count is 0 takes no memory. */
class KeyedCounter {
  readonly #counts = new Map<string, number>()

  count(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  add(key: string): void {
    this.#counts.set(key, this.count(key) + 1)
  }

  remove(key: string): void {
    const left = this.count(key) - 1
    if (left > 0) this.#counts.set(key, left)
    else this.#counts.delete(key)
  }
}

/**
 * Sends a request to a peer: one request frame, one response frame.
 *
 * @throws {NetworkError} `timeout`, `aborted`, `unreachable`, or `protocol` when the response is too long or truncated
 */
export async function request(
  host: NetworkNode,
  peer: PeerId,
  protocol: string,
  bytes: Uint8Array,
  options: RequestOptions
): Promise<Uint8Array> {
  const doing = `asking ${peer} on ${protocol}`
  let asked: Asked | undefined
  try {
    return await withDeadline(doing, options.timeoutMs, options.signal, async (deadline) => {
      asked = await ask(host, peer, protocol, bytes, options, deadline)
      const response = (await asked.frames.read({ signal: deadline })).subarray()
      host.traffic.add(protocol, 'received', response.length)
      await asked.stream.close({ signal: deadline })
      return response
    })
  } catch (error) {
    throw failed(host, peer, protocol, error, asked)
  }
}

/**
 * Sends a request to a peer and gives the frames of its response as they come. Ending the loop early ends the exchange. A
 * response that breaks off between two frames may look like one that has ended: its content has to tell.
 *
 * @throws what `request` throws; the deadline is that of the whole response
 */
export async function* requestFrames(
  host: NetworkNode,
  peer: PeerId,
  protocol: string,
  bytes: Uint8Array,
  options: RequestOptions
): AsyncGenerator<Uint8Array, void> {
  const doing = `asking ${peer} on ${protocol}`
  const begun = performance.now()
  const inTime = <Value>(work: (deadline: AbortSignal) => Promise<Value>): Promise<Value> => {
    const left = Math.max(1, options.timeoutMs - (performance.now() - begun))
    return withDeadline(doing, left, options.signal, work)
  }
  let asked: Asked | undefined
  let total = 0
  let ended = false
  try {
    await inTime(async (deadline) => {
      asked = await ask(host, peer, protocol, bytes, options, deadline)
    })
    const { frames } = asked!
    for (;;) {
      const frame = await inTime((deadline) => frames.read({ signal: deadline })).catch((error: Error) => {
        if (error.name === 'UnexpectedEOFError' && total > 0) return undefined
        throw error
      })
      if (frame === undefined) break
      total += frame.byteLength
      if (total > options.maxResponseBytes)
        throw new NetworkError('protocol', `${doing}: more than ${options.maxResponseBytes} bytes`)
      host.traffic.add(protocol, 'received', frame.byteLength)
      yield frame.subarray()
    }
    ended = true
    await inTime((deadline) => asked!.stream.close({ signal: deadline }))
  } catch (error) {
    ended = true
    throw failed(host, peer, protocol, error, asked)
  } finally {
    if (!ended) asked?.stream.abort(new Error('the rest is not wanted'))
  }
}

/** A request that has been sent. */
interface Asked {
  readonly stream: Stream
  readonly frames: ReturnType<typeof lpStream>
}

async function ask(
  host: NetworkNode,
  peer: PeerId,
  protocol: string,
  bytes: Uint8Array,
  { connection, maxResponseBytes }: RequestOptions,
  deadline: AbortSignal
): Promise<Asked> {
  const options = { signal: deadline, runOnLimitedConnection: true }
  const stream =
    connection === undefined
      ? await host.libp2p.dialProtocol(peer, protocol, options)
      : await connection.newStream(protocol, options)
  try {
    // If the deadline passed while the stream was being opened, nobody else closes it.
    deadline.throwIfAborted()
    const frames = lpStream(stream, {
      maxDataLength: maxResponseBytes,
      // Each of many short frames has a length before it.
      maxBufferSize: 2 * maxResponseBytes + PREFIX_BYTES_MAX
    })
    await frames.write(bytes, { signal: deadline })
    host.traffic.add(protocol, 'sent', bytes.length)
    return { stream, frames }
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    throw asNetworkError(`asking ${peer} on ${protocol}`, error, true)
  }
}

/** Ends the stream of an exchange that failed, and reports a peer that answered with something invalid. */
function failed(
  host: NetworkNode,
  peer: PeerId,
  protocol: string,
  error: unknown,
  asked: Asked | undefined
): NetworkError {
  const failure = asNetworkError(`asking ${peer} on ${protocol}`, error, asked !== undefined)
  asked?.stream.abort(failure)
  if (isMalformed(error))
    host.limits.report(peer, 'malformed', `an invalid response of ${protocol}: ${error.message}`)
  return failure
}

/** libp2p's errors for a frame with an invalid or excessive length. */
const FRAME_ERRORS: ReadonlySet<string> = new Set([
  'InvalidMessageLengthError',
  'InvalidDataLengthError',
  'InvalidDataLengthLengthError',
  'StreamBufferError'
])

/**
 * Whether an error means that the other side violated the protocol, rather than that a stream broke: a NetworkError
 * `protocol` without a cause was thrown where bytes were parsed.
 */
export function isMalformed(error: unknown): error is Error {
  if (error instanceof MalformedError) return true
  if (error instanceof NetworkError)
    return error.code === 'protocol' && (error.cause === undefined || isMalformed(error.cause))
  return error instanceof Error && FRAME_ERRORS.has(error.name)
}

/** Turns any failure of an exchange into a NetworkError. */
export function asNetworkError(doing: string, error: unknown, connected: boolean): NetworkError {
  if (error instanceof NetworkError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new NetworkError(connected ? 'protocol' : 'unreachable', `${doing}: ${reason}`, { cause: error })
}
