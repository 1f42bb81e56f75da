import { loadZstd, zstdFrameHeader } from '../../../formats/index.ts'
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

/** Loads the compressor, which needs some megabytes. */
export async function loadCompression(): Promise<Compression> {
  const { compress, decompress } = await loadZstd()
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
      if (zstdFrameHeader(frame)?.contentLength !== length)
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
