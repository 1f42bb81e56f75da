/**
 * Memory for things that come one after the other, each over when the next begins: of new memory for each, the garbage
 * collector would let tens of megabytes pile up.
 */
export class ReusedMemory {
  readonly #make: (byteLength: number) => ArrayBufferLike
  #buffer: ArrayBufferLike | undefined

  /** @param make how memory is taken, which may hold anything */
  constructor(make: (byteLength: number) => ArrayBufferLike) {
    this.#make = make
  }

  /** So many bytes, with anything in them; what was taken before is overwritten with them. */
  take(byteLength: number): Uint8Array {
    if (this.#buffer === undefined || this.#buffer.byteLength < byteLength)
      this.#buffer = this.#make(byteLength)
    return new Uint8Array(this.#buffer, 0, byteLength)
  }
}
