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
  { limits = BLOCK_SERVER_LIMITS, refusal, onSent, compression }: BlockServerOptions = {}
): Promise<() => Promise<void>> {
  const upload = new UploadLimit(limits.uploadBytesPerSecond)
  const { requestsAtOnce, retryAfterMs } = boundsOf(limits)
  const { requestsPerPeer } = limits
  const keptMs = 2 * retryAfterMs + COMES_BACK_WITHIN_MS
  const turns = new ServingTurns({ requestsAtOnce, requestsPerPeer, keptMs })

  /** @param first the first block, if it was read while the previous request was answered */
  const answerRequest = async (
    writer: StreamWriter,
    peer: string,
    { digests, zstd }: BlockRequest,
    first: ComingRequest['first']
  ) => {
    // The next block is read from the disk while this one is sent.
    let ahead = first.then((block) => block ?? store.getToServe(digests[0]!))
    for (const [index, digest] of digests.entries()) {
      const block = await ahead
      if (index + 1 < digests.length) ahead = store.getToServe(digests[index + 1]!)
      // If sending this answer fails, nobody awaits the next one.
      ahead.catch(() => undefined)
      const retryAfter = block === undefined ? undefined : refusal?.(digest, peer)
      if (block === undefined) await writer.write(encodeBlockAnswer({ status: 'missing' }))
      else if (retryAfter !== undefined)
        await writer.write(encodeBlockAnswer({ status: 'busy', retryAfterMs: retryAfter }))
      else {
        await sendBlock(writer, block, zstd ? compression?.pack(digest, block) : undefined)
        onSent?.(digest, block.length)
      }
    }
  }

  const sendAway = async (writer: StreamWriter, { digests }: BlockRequest) => {
    for (const _ of digests) await writer.write(encodeBlockAnswer({ status: 'busy', retryAfterMs }))
  }

  const sendBlock = async (writer: StreamWriter, block: Uint8Array, packed: Uint8Array | undefined) => {
    const { length } = block
    const header = encodeBlockAnswer({
      status: 'found',
      length,
      ...(packed !== undefined && { zstd: packed.length })
    })
    const sent = packed ?? block
    for (let begin = 0; begin < sent.length; begin += PIECE_BYTES_SENT) {
      const piece = sent.subarray(begin, begin + PIECE_BYTES_SENT)
      await upload.admit(piece.length)
      await writer.write(...(begin === 0 ? [header] : []), piece)
    }
    host.traffic.add('blocks', 'sent', sent.length)
  }

  const serve = async (stream: Stream, peerId: PeerId) => {
    const peer = peerId.toString()
    if (!host.isMember(peerId)) {
      stream.abort(new NetworkError('protocol', 'blocks are for members only'))
      return
    }
    const frames = lpStream(stream, {
      maxDataLength: REQUEST_BYTES_MAX,
      maxBufferSize: (REQUESTS_UNDER_WAY_MAX + 1) * REQUEST_BYTES_MAX
    })
    const writer = new StreamWriter(stream, limits.frameTimeoutMs)
    const ended = new AbortController()
    // Reads ahead only for an asker that has a turn: a refused one costs no disk access.
    let hasTurn = false
    const comingRequest = (): ComingRequest => {
      const asked = frames
        .read({ signal: ended.signal })
        .then((frame) => decodeBlockRequest(frame.subarray()))
      const first = asked.then(({ digests }) => (hasTurn ? store.getToServe(digests[0]!) : undefined))
      // They are awaited only after the previous request has been answered.
      for (const early of [asked, first]) early.catch(() => undefined)
      return { asked, first }
    }
    try {
      for (let coming = comingRequest(); ; ) {
        const { asked, first } = coming
        const request = await withDeadline(
          'waiting for a block request',
          IDLE_TIMEOUT_MS,
          undefined,
          () => asked
        )
        hasTurn = turns.begin(peer, performance.now())
        coming = comingRequest()
        if (!hasTurn) {
          await sendAway(writer, request)
          continue
        }
        try {
          await answerRequest(writer, peer, request, first)
        } finally {
          hasTurn = false
          turns.end(peer)
        }
      }
    } catch (error) {
      ended.abort(error)
      if (stream.remoteWriteStatus === 'closed' && stream.status === 'open') {
        await stream
          .close({ signal: AbortSignal.timeout(FRAME_TIMEOUT_MS) })
          .catch((reason: Error) => stream.abort(reason))
        return
      }
      if (isMalformed(error))
        host.limits.report(peerId, 'malformed', `an invalid block request: ${error.message}`)
      log.debug({ peer, error: String(error) }, 'a block stream ended early')
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }

  await host.libp2p.handle(BLOCKS_PROTOCOL, (stream, connection) => serve(stream, connection.remotePeer), {
    maxInboundStreams: limits.streamsPerPeer,
    runOnLimitedConnection: true
  })
  return () => host.libp2p.unhandle(BLOCKS_PROTOCOL)
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
