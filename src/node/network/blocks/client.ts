import '../promise-polyfill.ts'
import type { PeerId, Stream } from '@libp2p/interface'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import { BLOCK_BYTES_MAX, sha256Hex } from '../../../adapter/index.ts'
import { withDeadline } from '../deadline.ts'
import { NetworkError } from '../network-error.ts'
import type { NetworkHost } from '../network-host.ts'
import { asNetworkError } from '../request-response.ts'
import {
  BLOCKS_PROTOCOL,
  DIGESTS_PER_REQUEST_MAX,
  FRAME_TIMEOUT_MS,
  IN_FLIGHT_BYTES_MAX,
  PIECE_BYTES_MAX
} from './constants.ts'
import { decodeBlockAnswer, encodeBlockRequest } from './messages.ts'

/** What came of one digest. */
export type FetchedBlock =
  | { readonly digest: string; readonly status: 'found'; readonly bytes: Uint8Array }
  | { readonly digest: string; readonly status: 'missing' }
  | { readonly digest: string; readonly status: 'busy'; readonly retryAfterMs: number }

/** How to fetch. */
export interface FetchBlocksOptions {
  readonly signal?: AbortSignal
  /** How long the holder may take for each frame; `FRAME_TIMEOUT_MS` unless given. */
  readonly frameTimeoutMs?: number
}

/**
 * Fetches blocks from one holder over one stream, in the order asked. A found block has its digest: it is checked
 * before it is given out. Memory stays within a request's four blocks, however slowly the caller takes them.
 *
 * @throws {NetworkError} `protocol` for wrong bytes, `timeout`, `aborted` or `unreachable`; what was given out before
 *   remains good
 */
export async function* fetchBlocks(
  host: NetworkHost,
  holder: PeerId,
  digests: readonly string[],
  { signal, frameTimeoutMs = FRAME_TIMEOUT_MS }: FetchBlocksOptions = {}
): AsyncGenerator<FetchedBlock, void, undefined> {
  const doing = `fetching blocks from ${holder}`
  const step = <T>(work: (deadline: AbortSignal) => Promise<T>) =>
    withDeadline(doing, frameTimeoutMs, signal, work)
  let stream: Stream | undefined
  let finished = false
  try {
    const opened = await step(async (deadline) => {
      const late = await host.libp2p.dialProtocol(holder, BLOCKS_PROTOCOL, { signal: deadline })
      // A deadline that passed while the stream was being opened has nobody left to close it.
      if (deadline.aborted) late.abort(new Error('too late'))
      return late
    })
    stream = opened
    const frames = lpStream(opened, { maxDataLength: PIECE_BYTES_MAX, maxBufferSize: IN_FLIGHT_BYTES_MAX })
    for (let begin = 0; begin < digests.length; begin += DIGESTS_PER_REQUEST_MAX) {
      const asked = digests.slice(begin, begin + DIGESTS_PER_REQUEST_MAX)
      await step((deadline) => frames.write(encodeBlockRequest(asked), { signal: deadline }))
      for (const digest of asked) yield await readAnswer(host, frames, digest, step)
    }
    await step((deadline) => opened.close({ signal: deadline }))
    finished = true
  } catch (error) {
    throw asNetworkError(doing, error, stream !== undefined)
  } finally {
    // Also when the caller stops taking blocks half-way.
    if (!finished) stream?.abort(new NetworkError('aborted', `${doing}: given up`))
  }
}

async function readAnswer(
  host: NetworkHost,
  frames: LengthPrefixedStream,
  digest: string,
  step: <T>(work: (deadline: AbortSignal) => Promise<T>) => Promise<T>
): Promise<FetchedBlock> {
  const read = async () => (await step((deadline) => frames.read({ signal: deadline }))).subarray()
  const answer = decodeBlockAnswer(await read())
  if (answer.status !== 'found') return { digest, ...answer }
  const bytes = new Uint8Array(Math.min(answer.length, BLOCK_BYTES_MAX))
  for (let filled = 0; filled < bytes.length; ) {
    const piece = await read()
    if (piece.length === 0 || piece.length > bytes.length - filled) {
      throw new NetworkError('protocol', `block ${digest} came in pieces that do not fit`)
    }
    bytes.set(piece, filled)
    filled += piece.length
  }
  host.traffic.add('blocks', 'received', bytes.length)
  if (sha256Hex(bytes) !== digest) throw new NetworkError('protocol', `block ${digest} came with other bytes`)
  return { digest, status: 'found', bytes }
}
