import { NetworkError } from '../requests/network-error.ts'

/** Blocks in zstd (RFC 8878) between peers, on request. Storage and digests concern the uncompressed block. */
export interface Compression {
  /**
   * Compresses a block.
   *
   * @param digest of the block: one that did not shrink is not tried again
   * @returns undefined if it saves less than a sixteenth
   */
  pack(digest: string, block: Uint8Array): Uint8Array | undefined
  /**
   * Decompresses a frame.
   *
   * @param length of the block, bytes: no more memory is allocated
   * @throws {NetworkError} `protocol` when the frame is damaged, or has another length
   */
  unpack(frame: Uint8Array, length: number): Uint8Array
}

/** The fastest: most of a shard is noise that no level removes. */
const LEVEL = 1
/** Shorter blocks are sent uncompressed. */
const PACKED_BYTES_MIN = 1024
/** Minimum saving, as a fraction of the block. */
const SAVED_MIN = 1 / 16
/** Number of latest incompressible blocks remembered. */
const REMEMBERED_MAX = 4096
const MAGIC = 0xfd2fb528

/** The library, which can be initialised only once per process. */
let library: Promise<typeof import('@bokuweb/zstd-wasm')> | undefined

async function loadLibrary(): Promise<typeof import('@bokuweb/zstd-wasm')> {
  const zstd = await import('@bokuweb/zstd-wasm')
  await zstd.init()
  return zstd
}

/** Loads the compressor, which needs some megabytes. */
export async function loadCompression(): Promise<Compression> {
  library ??= loadLibrary()
  const { compress, decompress } = await library
  const asTheyAre = new Set<string>()
  return {
    pack(digest, block) {
      if (block.length < PACKED_BYTES_MIN || asTheyAre.has(digest)) return undefined
      const packed = compress(block, LEVEL)
      if (packed.length <= block.length * (1 - SAVED_MIN)) return packed
      const [oldest] = asTheyAre
      if (asTheyAre.size >= REMEMBERED_MAX && oldest !== undefined) asTheyAre.delete(oldest)
      asTheyAre.add(digest)
      return undefined
    },
    unpack(frame, length) {
      // The library allocates as much memory as a frame claims.
      if (contentLength(frame) !== length)
        throw new NetworkError('protocol', 'a block arrived in a zstd frame of the wrong length')
      let block: Uint8Array
      try {
        block = decompress(frame)
      } catch (error) {
        throw new NetworkError('protocol', `a block arrived in a damaged zstd frame: ${String(error)}`)
      }
      if (block.length !== length)
        throw new NetworkError('protocol', 'a block arrived in a zstd frame of the wrong length')
      return block
    }
  }
}

/** The content size in a frame's header, bytes (RFC 8878, 3.1.1.1); undefined if absent. */
function contentLength(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (frame.length < 5 || view.getUint32(0, true) !== MAGIC) return undefined
  const descriptor = frame[4]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!
  const bytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  if (bytes === 0 || frame.length < at + bytes) return undefined
  if (bytes === 1) return view.getUint8(at)
  if (bytes === 2) return view.getUint16(at, true) + 256
  if (bytes === 4) return view.getUint32(at, true)
  return Number(view.getBigUint64(at, true))
}
