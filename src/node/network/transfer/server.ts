import '../core/promise-polyfill.ts'
import type { PeerId, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import type { BlockStore, Log } from '../../storage/index.ts'
import type { NetworkHost } from '../core/network-host.ts'
import { withDeadline } from '../requests/deadline.ts'
import { NetworkError } from '../requests/network-error.ts'
import { isMalformed } from '../requests/request-response.ts'
import type { Compression } from './compression.ts'
import {
  BLOCKS_PROTOCOL,
  FRAME_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  PIECE_BYTES_MAX,
  PIECE_BYTES_SENT,
  REQUEST_BYTES_MAX,
  REQUESTS_UNDER_WAY_MAX,
  RETRY_AFTER_MS_MAX
} from './constants.ts'
import { type BlockRequest, decodeBlockRequest, encodeBlockAnswer } from './messages.ts'
import { ServingTurns } from './serving-turns.ts'
import { StreamWriter } from './stream-writer.ts'
import { UploadLimit } from './upload-limit.ts'

/** Limits of the server. */
export interface BlockServerLimits {
  /** Concurrent requests over all peers; each holds three blocks in memory. */
  readonly requestsAtOnce: number
  /** Concurrent requests per peer. */
  readonly requestsPerPeer: number
  /** Streams per peer. */
  readonly streamsPerPeer: number
  /** Delay given to a refused asker, milliseconds. */
  readonly retryAfterMs: number
  /** Timeout of each piece, milliseconds. */
  readonly frameTimeoutMs: number
  /** Upload limit over all askers, bytes per second, shared piece by piece; undefined for none. */
  readonly uploadBytesPerSecond?: number | undefined
}

/** Hooks of the server. */
export interface BlockServerOptions {
  readonly limits?: BlockServerLimits
  /**
   * Whether to refuse an asker because others can serve it: the delay in milliseconds after which it may return, or
   * undefined to send the block.
   */
  readonly refusal?: (digest: string, asker: string) => number | undefined
  /** Called for each block that was sent completely, with its bytes. */
  readonly onSent?: ((digest: string, bytes: number) => void) | undefined
  /** Given if blocks may be sent compressed on request. */
  readonly compression?: Compression | undefined
}

/** A pipelined request and its first block, which is read while the previous request is answered. */
interface ComingRequest {
  readonly asked: Promise<BlockRequest>
  readonly first: Promise<Uint8Array | undefined>
}

/** Grace period after the given delay in which an asker's place is still kept, milliseconds. */
const COMES_BACK_WITHIN_MS = 500

/** Limits for an ordinary connection. */
export const BLOCK_SERVER_LIMITS: BlockServerLimits = {
  requestsAtOnce: 16,
  requestsPerPeer: 2,
  streamsPerPeer: 4,
  retryAfterMs: 250,
  frameTimeoutMs: FRAME_TIMEOUT_MS
}

/**
 * Serves blocks from a store.
 *
 * @returns a function that stops serving
 */
export async function serveBlocks(
  host: NetworkHost,
  store: Pick<BlockStore, 'getToServe'>,
  log: Log,
  options: BlockServerOptions = {}
): Promise<() => Promise<void>> {
  const server = new BlockServer(host, store, log, options)
  await host.libp2p.handle(
    BLOCKS_PROTOCOL,
    (stream, connection) => server.serve(stream, connection.remotePeer),
    { maxInboundStreams: server.limits.streamsPerPeer, runOnLimitedConnection: true }
  )
  return () => host.libp2p.unhandle(BLOCKS_PROTOCOL)
}

class BlockServer {
  readonly limits: BlockServerLimits
  readonly #host: NetworkHost
  readonly #store: Pick<BlockStore, 'getToServe'>
  readonly #log: Log
  readonly #options: BlockServerOptions
  readonly #upload: UploadLimit
  readonly #retryAfterMs: number
  readonly #turns: ServingTurns

  constructor(
    host: NetworkHost,
    store: Pick<BlockStore, 'getToServe'>,
    log: Log,
    options: BlockServerOptions
  ) {
    this.#host = host
    this.#store = store
    this.#log = log
    this.#options = options
    this.limits = options.limits ?? BLOCK_SERVER_LIMITS
    this.#upload = new UploadLimit(this.limits.uploadBytesPerSecond)
    const { requestsAtOnce, retryAfterMs } = boundsOf(this.limits)
    this.#retryAfterMs = retryAfterMs
    const { requestsPerPeer } = this.limits
    const keptMs = 2 * retryAfterMs + COMES_BACK_WITHIN_MS
    this.#turns = new ServingTurns({ requestsAtOnce, requestsPerPeer, keptMs })
  }

  /** Answers the requests of one stream until it ends. */
  async serve(stream: Stream, peerId: PeerId): Promise<void> {
    if (!this.#host.isMember(peerId)) {
      stream.abort(new NetworkError('protocol', 'blocks are for members only'))
      return
    }
    const ended = new AbortController()
    try {
      await this.#answerRequests(stream, peerId.toString(), ended.signal)
    } catch (error) {
      ended.abort(error)
      await this.#end(stream, peerId, error)
    }
  }

  async #answerRequests(stream: Stream, peer: string, signal: AbortSignal): Promise<never> {
    const frames = lpStream(stream, {
      maxDataLength: REQUEST_BYTES_MAX,
      maxBufferSize: (REQUESTS_UNDER_WAY_MAX + 1) * REQUEST_BYTES_MAX
    })
    const writer = new StreamWriter(stream, this.limits.frameTimeoutMs)
    // Reads ahead only for an asker that has a turn: a refused one costs no disk access.
    let hasTurn = false
    const comingRequest = (): ComingRequest => {
      const asked = frames.read({ signal }).then((frame) => decodeBlockRequest(frame.subarray()))
      const first = asked.then(({ digests }) => (hasTurn ? this.#store.getToServe(digests[0]!) : undefined))
      // They are awaited only after the previous request has been answered.
      for (const early of [asked, first]) early.catch(() => undefined)
      return { asked, first }
    }
    for (let coming = comingRequest(); ; ) {
      const { asked, first } = coming
      const request = await withDeadline(
        'waiting for a block request',
        IDLE_TIMEOUT_MS,
        undefined,
        () => asked
      )
      hasTurn = this.#turns.begin(peer, performance.now())
      coming = comingRequest()
      if (!hasTurn) {
        await this.#refuse(writer, request)
        continue
      }
      try {
        await this.#answer(writer, peer, request, first)
      } finally {
        hasTurn = false
        this.#turns.end(peer)
      }
    }
  }

  /** @param first the first block, if it was read while the previous request was answered */
  async #answer(
    writer: StreamWriter,
    peer: string,
    { digests, zstd }: BlockRequest,
    first: ComingRequest['first']
  ): Promise<void> {
    const { refusal, onSent, compression } = this.#options
    // The next block is read from the disk while this one is sent.
    let ahead = first.then((block) => block ?? this.#store.getToServe(digests[0]!))
    for (const [index, digest] of digests.entries()) {
      const block = await ahead
      if (index + 1 < digests.length) ahead = this.#store.getToServe(digests[index + 1]!)
      // If sending this answer fails, nobody awaits the next one.
      ahead.catch(() => undefined)
      const retryAfter = block === undefined ? undefined : refusal?.(digest, peer)
      if (block === undefined) await writer.write(encodeBlockAnswer({ status: 'missing' }))
      else if (retryAfter !== undefined)
        await writer.write(encodeBlockAnswer({ status: 'busy', retryAfterMs: retryAfter }))
      else {
        await this.#sendBlock(writer, block, zstd ? compression?.pack(digest, block) : undefined)
        onSent?.(digest, block.length)
      }
    }
  }

  async #refuse(writer: StreamWriter, { digests }: BlockRequest): Promise<void> {
    const answer = encodeBlockAnswer({ status: 'busy', retryAfterMs: this.#retryAfterMs })
    for (const _ of digests) await writer.write(answer)
  }

  async #sendBlock(writer: StreamWriter, block: Uint8Array, packed: Uint8Array | undefined): Promise<void> {
    const { length } = block
    const header = encodeBlockAnswer({
      status: 'found',
      length,
      ...(packed !== undefined && { zstd: packed.length })
    })
    const sent = packed ?? block
    for (let begin = 0; begin < sent.length; begin += PIECE_BYTES_SENT) {
      const piece = sent.subarray(begin, begin + PIECE_BYTES_SENT)
      await this.#upload.admit(piece.length)
      await writer.write(...(begin === 0 ? [header] : []), piece)
    }
    this.#host.traffic.add('blocks', 'sent', sent.length)
  }

  /** Ends a stream: gracefully if the asker closed it, otherwise by aborting it. */
  async #end(stream: Stream, peerId: PeerId, error: unknown): Promise<void> {
    if (stream.remoteWriteStatus === 'closed' && stream.status === 'open') {
      await stream
        .close({ signal: AbortSignal.timeout(FRAME_TIMEOUT_MS) })
        .catch((reason: Error) => stream.abort(reason))
      return
    }
    if (isMalformed(error))
      this.#host.limits.report(peerId, 'malformed', `an invalid block request: ${error.message}`)
    this.#log.debug({ peer: peerId.toString(), error: String(error) }, 'a block stream ended early')
    stream.abort(error instanceof Error ? error : new Error(String(error)))
  }
}

/**
 * Under an upload limit, only as many requests are accepted as can get their pieces in turn well before an asker's
 * deadline.
 */
function boundsOf({
  requestsAtOnce,
  retryAfterMs,
  uploadBytesPerSecond = Number.POSITIVE_INFINITY
}: BlockServerLimits): Pick<BlockServerLimits, 'requestsAtOnce' | 'retryAfterMs'> {
  const pieceMs = (1000 * PIECE_BYTES_MAX) / uploadBytesPerSecond
  return {
    requestsAtOnce: Math.min(requestsAtOnce, Math.max(1, Math.floor(FRAME_TIMEOUT_MS / 2 / pieceMs))),
    retryAfterMs: Math.ceil(Math.min(RETRY_AFTER_MS_MAX, Math.max(retryAfterMs, pieceMs)))
  }
}
