import { BLOCK_BYTES_MAX } from '../../../adapter/index.ts'

/** From this length on a block gets memory that has been used before. */
const REUSE_BYTES_MIN = BLOCK_BYTES_MAX / 4
/** Buffers kept for later, of a block's full length. */
const KEPT_MAX = 16

/**
 * Memory for blocks that come in. Fresh memory has to be zeroed and mapped page by page, which costs as much as a block's
 * decryption: what has been written to the disk makes room for what comes next.
 */
export class BlockBuffers {
  readonly #free: ArrayBuffer[] = []

  /** Memory of `length` bytes, which may hold anything. */
  take(length: number): Uint8Array {
    if (length < REUSE_BYTES_MIN || length > BLOCK_BYTES_MAX) return new Uint8Array(length)
    return new Uint8Array(this.#free.pop() ?? new ArrayBuffer(BLOCK_BYTES_MAX), 0, length)
  }

  /** Takes memory back that nobody looks at any more. */
  give({ buffer, byteOffset }: Uint8Array): void {
    const fits = buffer instanceof ArrayBuffer && buffer.byteLength === BLOCK_BYTES_MAX && byteOffset === 0
    if (fits && this.#free.length < KEPT_MAX) this.#free.push(buffer)
  }
}
