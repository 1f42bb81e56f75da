import '../promise-polyfill.ts'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import { BLOCK_BYTES_MAX, sha256Hex } from '../../../adapter/index.ts'
import { withDeadline } from '../deadline.ts'
import { NetworkError } from '../network-error.ts'
import type { NetworkHost } from '../network-host.ts'
import { asNetworkError } from '../request-response.ts'
import { BLOCKS_PROTOCOL, FRAME_TIMEOUT_MS, IN_FLIGHT_BYTES_MAX, PIECE_BYTES_MAX } from './constants.ts'
import { decodeBlockAnswer, encodeBlockRequest } from './messages.ts'

/** What must be left of a relayed connection's allowance: a request's blocks, and the votes that go beside them. */
const ALLOWANCE_BYTES_MIN = 8 * BLOCK_BYTES_MAX

/**
 * Whether blocks may be asked over a connection that somebody limits. A relay that allows 128 KiB would cut it off, votes
 * and all: then blocks come from members that are connected better.
 */
function mayCarryBlocks(connections: readonly Connection[]): boolean {
  return connections.some(({ limits }) => {
    if (limits === undefined) return true
    return limits.bytes === undefined || limits.bytes >= BigInt(ALLOWANCE_BYTES_MIN)
  })
}

/** What came of one digest. */
export type FetchedBlock =
  | { readonly digest: string; readonly status: 'found'; readonly bytes: Uint8Array }
  | { readonly digest: string; readonly status: 'missing' }
  | { readonly digest: string; readonly status: 'busy'; readonly retryAfterMs: number }

/**
 * One stream to a holder, from which blocks are asked and read in the same order. Every wait has a deadline, which each
 * frame that comes renews. All failures are a {@link NetworkError}: `protocol` for wrong bytes, `timeout`, `aborted` or
 * `unreachable`; what was read before remains good.
 */
export class BlockSession {
  readonly #host: NetworkHost
  readonly #doing: string
  readonly #stream: Stream
  readonly #frames: LengthPrefixedStream
  readonly #aborted = new AbortController()
  readonly #frameTimeoutMs: number
  #watchdog: NodeJS.Timeout | undefined

  private constructor(host: NetworkHost, doing: string, stream: Stream, frameTimeoutMs: number) {
    this.#host = host
    this.#doing = doing
    this.#stream = stream
    this.#frameTimeoutMs = frameTimeoutMs
    this.#frames = lpStream(stream, { maxDataLength: PIECE_BYTES_MAX, maxBufferSize: IN_FLIGHT_BYTES_MAX })
  }

  /** Opens a stream to a holder. @param frameTimeoutMs how long it may take for each frame */
  static async open(
    host: NetworkHost,
    holder: PeerId,
    frameTimeoutMs: number = FRAME_TIMEOUT_MS,
    signal?: AbortSignal
  ): Promise<BlockSession> {
    const doing = `fetching blocks from ${holder}`
    try {
      const stream = await withDeadline(doing, frameTimeoutMs, signal, async (deadline) => {
        const late = await host.libp2p.dialProtocol(holder, BLOCKS_PROTOCOL, {
          signal: deadline,
          runOnLimitedConnection: mayCarryBlocks(host.libp2p.getConnections(holder))
        })
        // A deadline that passed while the stream was being opened has nobody left to close it.
        if (deadline.aborted) late.abort(new Error('too late'))
        return late
      })
      return new BlockSession(host, doing, stream, frameTimeoutMs)
    } catch (error) {
      throw asNetworkError(doing, error, false)
    }
  }

  /** Sends a request; at most two may be unanswered at once. */
  async ask(digests: readonly string[]): Promise<void> {
    await this.#step((signal) => this.#frames.write(encodeBlockRequest(digests), { signal }))
  }

  /** Reads the next answer. A found block has its digest: it is checked before it is given out. */
  async answer(digest: string): Promise<FetchedBlock> {
    const answer = decodeBlockAnswer(await this.#read())
    if (answer.status !== 'found') return { digest, ...answer }
    const bytes = new Uint8Array(Math.min(answer.length, BLOCK_BYTES_MAX))
    for (let filled = 0; filled < bytes.length; ) {
      const piece = await this.#read()
      if (piece.length === 0 || piece.length > bytes.length - filled)
        throw new NetworkError('protocol', `block ${digest} came in pieces that do not fit`)
      bytes.set(piece, filled)
      filled += piece.length
    }
    this.#host.traffic.add('blocks', 'received', bytes.length)
    if (sha256Hex(bytes) !== digest)
      throw new NetworkError('protocol', `block ${digest} came with other bytes`)
    return { digest, status: 'found', bytes }
  }

  /** Ends the stream when all answers are read. */
  async close(): Promise<void> {
    await this.#step((signal) => this.#stream.close({ signal }))
  }

  /** Ends the stream at once. */
  abort(reason: Error): void {
    this.#aborted.abort(reason)
    this.#stream.abort(reason)
  }

  async #read(): Promise<Uint8Array> {
    return (await this.#step((signal) => this.#frames.read({ signal }))).subarray()
  }

  /** One wait for the other side. */
  async #step<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    clearTimeout(this.#watchdog)
    this.#watchdog = setTimeout(
      () =>
        this.abort(
          new NetworkError('timeout', `${this.#doing}: no answer within ${this.#frameTimeoutMs} ms`)
        ),
      this.#frameTimeoutMs
    )
    try {
      return await work(this.#aborted.signal)
    } catch (error) {
      const failure = asNetworkError(this.#doing, this.#aborted.signal.reason ?? error, true)
      this.#stream.abort(failure)
      throw failure
    } finally {
      clearTimeout(this.#watchdog)
    }
  }
}
