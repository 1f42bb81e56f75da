import { BLOCK_BYTES_MAX } from '../../../adapter/index.ts'

/** Minimum length of a block for which memory is reused. */
const REUSE_BYTES_MIN = BLOCK_BYTES_MAX / 4
/** Number of buffers kept, each of a full block's length. */
const KEPT_MAX = 16

/**
 * Memory for incoming blocks. Fresh memory has to be zeroed and mapped page by page, which costs as much as decrypting
 * a block, so the memory of stored blocks is reused.
 */
export class BlockBuffers {
  readonly #free: ArrayBuffer[] = []

  /** Memory of `length` bytes with arbitrary content. */
  take(length: number): Uint8Array {
    if (length < REUSE_BYTES_MIN || length > BLOCK_BYTES_MAX) return new Uint8Array(length)
    return new Uint8Array(this.#free.pop() ?? new ArrayBuffer(BLOCK_BYTES_MAX), 0, length)
  }

  /** Returns memory that is no longer in use. */
  give({ buffer, byteOffset }: Uint8Array): void {
    const fits = buffer instanceof ArrayBuffer && buffer.byteLength === BLOCK_BYTES_MAX && byteOffset === 0
    if (fits && this.#free.length < KEPT_MAX) this.#free.push(buffer)
  }
}
