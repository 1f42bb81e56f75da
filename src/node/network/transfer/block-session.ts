import '../core/promise-polyfill.ts'
import type { PeerId, Stream, StreamMessageEvent } from '@libp2p/interface'
import { sha256Hex } from '../../../formats/index.ts'
import type { NetworkHost } from '../core/network-host.ts'
import { withDeadline } from '../requests/deadline.ts'
import { NetworkError } from '../requests/network-error.ts'
import { asNetworkError } from '../requests/request-response.ts'
import { mayCarryBlocks } from './allowance.ts'
import { AnswerReader, type FetchedBlock } from './answer-reader.ts'
import { BlockBuffers } from './block-buffers.ts'
import type { Compression } from './compression.ts'
import { BLOCKS_PROTOCOL, FRAME_TIMEOUT_MS, IN_FLIGHT_BYTES_MAX } from './constants.ts'
import { encodeBlockRequest } from './messages.ts'
import { StreamWriter } from './stream-writer.ts'

/** How a session with a provider is led. */
export interface BlockSessionOptions {
  /** How long it may take for each frame. */
  readonly frameTimeoutMs?: number
  readonly signal?: AbortSignal
  /** Memory for blocks, to share among sessions. */
  readonly buffers?: BlockBuffers
  /** Given where blocks are to come compressed. */
  readonly compression?: Compression | undefined
}

/** An answer that nobody has taken yet. */
type Ready = FetchedBlock & { readonly at: number }
/** An answer as it is given out: a found block has its digest. */
type Answer = Exclude<FetchedBlock, { status: 'packed' }> & { readonly at: number }

/**
 * One stream to a provider, from which blocks are asked and read in the same order. What comes is taken up at once, whoever
 * waits for it, until {@link IN_FLIGHT_BYTES_MAX} are unread; then the provider is stopped. Every wait has a deadline, which
 * each frame that comes renews. All failures are a {@link NetworkError}: `protocol` for wrong bytes, `timeout`, `aborted`
 * or `unreachable`; what was read before remains good.
 */
export class BlockSession {
  readonly #doing: string
  readonly #stream: Stream
  readonly #writer: StreamWriter
  readonly #reader: AnswerReader
  readonly #buffers: BlockBuffers
  readonly #frameTimeoutMs: number
  readonly #compression: Compression | undefined
  readonly #ready: Ready[] = []
  #unreadBytes = 0
  #wake: () => void = () => undefined
  #failure: NetworkError | undefined
  #watchdog: NodeJS.Timeout | undefined

  private constructor(host: NetworkHost, doing: string, stream: Stream, options: BlockSessionOptions) {
    const { frameTimeoutMs = FRAME_TIMEOUT_MS, buffers = new BlockBuffers() } = options
    this.#doing = doing
    this.#stream = stream
    this.#frameTimeoutMs = frameTimeoutMs
    this.#buffers = buffers
    this.#writer = new StreamWriter(stream, frameTimeoutMs)
    this.#compression = options.compression
    this.#reader = new AnswerReader(
      buffers,
      (bytes) => host.traffic.add('blocks', 'received', bytes),
      options.compression !== undefined
    )
    stream.addEventListener('message', this.#onMessage)
    stream.addEventListener('remoteCloseWrite', this.#onEnd)
    stream.addEventListener('close', this.#onEnd)
  }

  /** Opens a stream to a provider. */
  static async open(
    host: NetworkHost,
    provider: PeerId,
    options: BlockSessionOptions = {}
  ): Promise<BlockSession> {
    const { frameTimeoutMs = FRAME_TIMEOUT_MS, signal } = options
    const doing = `fetching blocks from ${provider}`
    try {
      const stream = await withDeadline(doing, frameTimeoutMs, signal, async (deadline) => {
        const late = await host.libp2p.dialProtocol(provider, BLOCKS_PROTOCOL, {
          signal: deadline,
          runOnLimitedConnection: mayCarryBlocks(host.libp2p.getConnections(provider))
        })
        // A deadline that passed while the stream was being opened has nobody left to close it.
        if (deadline.aborted) late.abort(new Error('too late'))
        return late
      })
      return new BlockSession(host, doing, stream, options)
    } catch (error) {
      throw asNetworkError(doing, error, false)
    }
  }

  /** Sends a request; at most two may be unanswered at once. */
  async ask(digests: readonly string[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#reader.expect(digests)
    this.#watch()
    try {
      await this.#writer.write(encodeBlockRequest(digests, this.#compression !== undefined))
    } catch (error) {
      throw this.#fail(asNetworkError(this.#doing, error, false))
    }
  }

  /** Takes the next answer. A found block has its digest. @returns it, and when it had come */
  async answer(): Promise<Answer> {
    if (this.#ready.length === 0 && this.#failure === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    const answer = this.#ready.shift()
    if (answer === undefined) throw this.#failure ?? new NetworkError('aborted', `${this.#doing}: given up`)
    if ('bytes' in answer) this.#unreadBytes -= answer.bytes.length
    if (this.#stream.readStatus === 'paused' && this.#unreadBytes <= IN_FLIGHT_BYTES_MAX / 2) {
      this.#stream.resume()
      this.#watch()
    }
    return answer.status === 'packed' ? this.#unpack(answer) : answer
  }

  /** Opens a packed block when it is taken, not when it comes: a few bytes may hold a whole block. */
  #unpack({ digest, bytes, length, at }: Extract<Ready, { status: 'packed' }>): Answer {
    try {
      const block = this.#compression!.unpack(bytes, length)
      this.recycle(bytes)
      if (sha256Hex(block) !== digest)
        throw new NetworkError('protocol', `block ${digest} came with other bytes`)
      return { digest, status: 'found', bytes: block, at }
    } catch (error) {
      throw this.#fail(asNetworkError(this.#doing, error, true))
    }
  }

  /** Gives the memory of a block back that is stored. */
  recycle(bytes: Uint8Array): void {
    this.#buffers.give(bytes)
  }

  /** Ends the stream when all answers are read. */
  async close(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#detach()
    try {
      await withDeadline(this.#doing, this.#frameTimeoutMs, undefined, (signal) =>
        this.#stream.close({ signal })
      )
    } catch (error) {
      throw this.#fail(asNetworkError(this.#doing, error, false))
    }
  }

  /** Ends the stream at once. */
  abort(reason: Error): void {
    this.#fail(asNetworkError(this.#doing, reason, true))
  }

  readonly #onMessage = ({ data }: StreamMessageEvent): void => {
    const framesBefore = this.#reader.frames
    try {
      for (const answer of this.#reader.push(data instanceof Uint8Array ? [data] : data)) {
        if ('bytes' in answer) this.#unreadBytes += answer.bytes.length
        this.#ready.push({ ...answer, at: performance.now() })
      }
    } catch (error) {
      this.#fail(asNetworkError(this.#doing, error, true))
      return
    }
    if (this.#reader.frames > framesBefore) this.#watch()
    if (this.#unreadBytes > IN_FLIGHT_BYTES_MAX && this.#stream.readStatus === 'readable')
      this.#stream.pause()
    if (this.#ready.length > 0) this.#wake()
  }

  readonly #onEnd = (event: Event): void => {
    if (this.#reader.awaited === 0 && event.type === 'remoteCloseWrite') return
    const cause = 'error' in event ? event.error : undefined
    this.#fail(new NetworkError('unreachable', `${this.#doing}: the stream ended early`, { cause }))
  }

  /** Begins the time for the next frame, where one is awaited and may come. */
  #watch(): void {
    clearTimeout(this.#watchdog)
    this.#watchdog = undefined
    if (this.#reader.awaited === 0 || this.#failure !== undefined) return
    this.#watchdog = setTimeout(() => {
      // A provider that was stopped because of us is not late.
      if (this.#stream.readStatus === 'paused') return
      this.#fail(new NetworkError('timeout', `${this.#doing}: no answer within ${this.#frameTimeoutMs} ms`))
    }, this.#frameTimeoutMs)
  }

  /** Ends the stream, if it has not ended before. @returns why it has ended */
  #fail(failure: NetworkError): NetworkError {
    if (this.#failure === undefined) {
      this.#failure = failure
      this.#detach()
      this.#stream.abort(failure)
      this.#wake()
    }
    return this.#failure
  }

  #detach(): void {
    clearTimeout(this.#watchdog)
    this.#stream.removeEventListener('message', this.#onMessage)
    this.#stream.removeEventListener('remoteCloseWrite', this.#onEnd)
    this.#stream.removeEventListener('close', this.#onEnd)
  }
}
