/**
 * Memory for values needed one at a time. With new memory for each, tens of megabytes would accumulate between garbage
 * collections.
 */
export class ReusedMemory {
  readonly #make: (byteLength: number) => ArrayBufferLike
  #buffer: ArrayBufferLike | undefined

  /** @param make allocates memory with arbitrary content */
  constructor(make: (byteLength: number) => ArrayBufferLike) {
    this.#make = make
  }

  /** Memory of `bytes` bytes with arbitrary content; it overlaps with what was returned before. */
  take(byteLength: number): Uint8Array {
    if (this.#buffer === undefined || this.#buffer.byteLength < byteLength)
      this.#buffer = this.#make(byteLength)
    return new Uint8Array(this.#buffer, 0, byteLength)
  }
}
