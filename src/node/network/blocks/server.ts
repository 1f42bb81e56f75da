import '../promise-polyfill.ts'
import type { PeerId, Stream } from '@libp2p/interface'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import type { BlockStore, Log } from '../../store/index.ts'
import { withDeadline } from '../deadline.ts'
import type { NetworkHost } from '../network-host.ts'
import {
  BLOCKS_PROTOCOL,
  FRAME_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  MESSAGE_BYTES_MAX,
  PIECE_BYTES_MAX
} from './constants.ts'
import { decodeBlockRequest, encodeBlockAnswer } from './messages.ts'

/** What the server gives at most. */
export interface BlockServerLimits {
  /** Requests answered at once, over all peers; each holds one block in memory. */
  readonly requestsAtOnce: number
  /** Requests of one peer answered at once. */
  readonly requestsPerPeer: number
  /** Streams of one peer. */
  readonly streamsPerPeer: number
  /** What a refused asker is told to wait. */
  readonly retryAfterMs: number
}

/** Limits for a peer with an ordinary line. */
export const BLOCK_SERVER_LIMITS: BlockServerLimits = {
  requestsAtOnce: 16,
  requestsPerPeer: 2,
  streamsPerPeer: 4,
  retryAfterMs: 250
}

/**
 * Serves blocks from a store.
 *
 * @returns a function that stops serving
 */
export async function serveBlocks(
  host: NetworkHost,
  store: Pick<BlockStore, 'get'>,
  log: Log,
  limits: BlockServerLimits = BLOCK_SERVER_LIMITS
): Promise<() => Promise<void>> {
  const byPeer = new Map<string, number>()
  let total = 0

  const answerRequest = async (frames: LengthPrefixedStream, peer: string, digests: readonly string[]) => {
    const underWay = byPeer.get(peer) ?? 0
    if (total >= limits.requestsAtOnce || underWay >= limits.requestsPerPeer) {
      for (const _ of digests)
        await send(frames, encodeBlockAnswer({ status: 'busy', retryAfterMs: limits.retryAfterMs }))
      return
    }
    total++
    byPeer.set(peer, underWay + 1)
    try {
      for (const digest of digests) await answerBlock(frames, digest)
    } finally {
      total--
      const left = byPeer.get(peer)! - 1
      if (left > 0) byPeer.set(peer, left)
      else byPeer.delete(peer)
    }
  }

  const answerBlock = async (frames: LengthPrefixedStream, digest: string) => {
    const block = await store.get(digest)
    if (block === undefined) return send(frames, encodeBlockAnswer({ status: 'missing' }))
    await send(frames, encodeBlockAnswer({ status: 'found', length: block.length }))
    for (let begin = 0; begin < block.length; begin += PIECE_BYTES_MAX) {
      await send(frames, block.subarray(begin, begin + PIECE_BYTES_MAX))
    }
    host.traffic.add('blocks', 'sent', block.length)
  }

  const serve = async (stream: Stream, peerId: PeerId) => {
    const peer = peerId.toString()
    const frames = lpStream(stream, {
      maxDataLength: MESSAGE_BYTES_MAX,
      maxBufferSize: 2 * MESSAGE_BYTES_MAX
    })
    try {
      for (;;) {
        const request = await withDeadline(
          'waiting for a request for blocks',
          IDLE_TIMEOUT_MS,
          undefined,
          (signal) => frames.read({ signal })
        )
        await answerRequest(frames, peer, decodeBlockRequest(request.subarray()))
      }
    } catch (error) {
      if (stream.remoteWriteStatus === 'closed' && stream.status === 'open') {
        await stream
          .close({ signal: AbortSignal.timeout(FRAME_TIMEOUT_MS) })
          .catch((reason: Error) => stream.abort(reason))
        return
      }
      log.debug({ peer, error: String(error) }, 'a stream of blocks ended early')
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }

  await host.libp2p.handle(BLOCKS_PROTOCOL, (stream, connection) => serve(stream, connection.remotePeer), {
    maxInboundStreams: limits.streamsPerPeer
  })
  return () => host.libp2p.unhandle(BLOCKS_PROTOCOL)
}

/** Sends a frame; resolves when the stream takes more, so that at most one block waits in memory for a slow asker. */
function send(frames: LengthPrefixedStream, bytes: Uint8Array): Promise<void> {
  return withDeadline('sending blocks', FRAME_TIMEOUT_MS, undefined, (signal) =>
    frames.write(bytes, { signal })
  )
}
