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

/** Options of a session. */
export interface BlockSessionOptions {
  /** Timeout of each frame, milliseconds. */
  readonly frameTimeoutMs?: number
  readonly signal?: AbortSignal
  /** Memory for blocks, shared among sessions. */
  readonly buffers?: BlockBuffers
  /** Given if blocks should arrive compressed. */
  readonly compression?: Compression | undefined
}

/** An unread answer. */
type Ready = FetchedBlock & { readonly at: number }
/** An answer as returned: a found block has been checked. */
type Answer = Exclude<FetchedBlock, { status: 'packed' }> & { readonly at: number }

/**
 * One stream to a provider, on which blocks are requested and read in the same order. Data is received eagerly until
 * {@link IN_FLIGHT_BYTES_MAX} are unread; then the stream is paused. Every wait has a deadline, renewed by each frame.
 * All failures are a {@link NetworkError}: `protocol` for wrong bytes, `timeout`, `aborted` or `unreachable`; blocks
 * read before remain valid.
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
        // If the deadline passed while the stream was being opened, nobody else closes it.
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

  /** Reads the next answer. A found block has been checked. @returns it, and its time of arrival */
  async answer(): Promise<Answer> {
    if (this.#ready.length === 0 && this.#failure === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    const answer = this.#ready.shift()
    if (answer === undefined) throw this.#failure ?? new NetworkError('aborted', `${this.#doing}: aborted`)
    if ('bytes' in answer) this.#unreadBytes -= answer.bytes.length
    if (this.#stream.readStatus === 'paused' && this.#unreadBytes <= IN_FLIGHT_BYTES_MAX / 2) {
      this.#stream.resume()
      this.#watch()
    }
    return answer.status === 'packed' ? this.#unpack(answer) : answer
  }

  /** Decompresses a block when it is read, not when it arrives: a few bytes may expand to a whole block. */
  #unpack({ digest, bytes, length, at }: Extract<Ready, { status: 'packed' }>): Answer {
    try {
      const block = this.#compression!.unpack(bytes, length)
      this.recycle(bytes)
      if (sha256Hex(block) !== digest)
        throw new NetworkError('protocol', `block ${digest} arrived with the wrong bytes`)
      return { digest, status: 'found', bytes: block, at }
    } catch (error) {
      throw this.#fail(asNetworkError(this.#doing, error, true))
    }
  }

  /** Returns the memory of a stored block. */
  recycle(bytes: Uint8Array): void {
    this.#buffers.give(bytes)
  }

  /** Closes the stream after all answers have been read. */
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

  /** Aborts the stream. */
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

  /** Starts the deadline of the next frame, if one is expected and the stream is not paused. */
  #watch(): void {
    clearTimeout(this.#watchdog)
    this.#watchdog = undefined
    if (this.#reader.awaited === 0 || this.#failure !== undefined) return
    this.#watchdog = setTimeout(() => {
      // A provider that this peer has paused is not late.
      if (this.#stream.readStatus === 'paused') return
      this.#fail(new NetworkError('timeout', `${this.#doing}: no answer within ${this.#frameTimeoutMs} ms`))
    }, this.#frameTimeoutMs)
  }

  /** Ends the stream if it is open. @returns the reason of its end */
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
