import { NetworkError } from '../requests/network-error.ts'

/**
 * Blocks in zstd (RFC 8878) on their way from one peer to another, by an asker's wish. What is stored, and what a digest
 * is of, are the bytes of the block itself.
 */
export interface Compression {
  /**
   * A block in fewer bytes.
   *
   * @param digest of the block: one that did not get shorter is not tried again
   * @returns undefined where it would save less than a sixteenth
   */
  pack(digest: string, block: Uint8Array): Uint8Array | undefined
  /**
   * What a frame holds.
   *
   * @param length of the block, bytes: no memory is taken for more
   * @throws {NetworkError} `protocol` where the frame is damaged, or does not hold exactly as much
   */
  unpack(frame: Uint8Array, length: number): Uint8Array
}

/** The fastest: most of what shards hold is noise that no level gets out. */
const LEVEL = 1
/** Blocks shorter than this go as they are. */
const PACKED_BYTES_MIN = 1024
/** What packing has to save, as a part of the block. */
const SAVED_MIN = 1 / 16
/** Blocks remembered that do not get shorter, the latest. */
const REMEMBERED_MAX = 4096
const MAGIC = 0xfd2fb528

/** The library, which a process may set up once only. */
let library: Promise<typeof import('@bokuweb/zstd-wasm')> | undefined

async function loadLibrary(): Promise<typeof import('@bokuweb/zstd-wasm')> {
  const zstd = await import('@bokuweb/zstd-wasm')
  await zstd.init()
  return zstd
}

/** Loads the compressor, which takes some megabytes. */
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
      // The library takes the memory that a frame claims to need.
      if (contentLength(frame) !== length)
        throw new NetworkError('protocol', 'a block came in a zstd frame of another length')
      let block: Uint8Array
      try {
        block = decompress(frame)
      } catch (error) {
        throw new NetworkError('protocol', `a block came in a damaged zstd frame: ${String(error)}`)
      }
      if (block.length !== length)
        throw new NetworkError('protocol', 'a block came in a zstd frame of another length')
      return block
    }
  }
}

/** What a frame's header says that it holds, bytes (RFC 8878, 3.1.1.1); undefined where it does not say it. */
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
