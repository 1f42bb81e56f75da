import { instantiateKernel, type KernelExports, PAGE_BYTES } from './kernel-module.ts'

/** Bytes scaled at a time, in place: they stay in a core's second-level cache. */
const PIECE_BYTES = 128 * 1024
/** Bytes of joined rows written at a time: they and the widest part's rows stay in that cache. */
const JOINED_BYTES = 320 * 1024
/**
 * Pieces are copied from and to the same offset within 4 KiB. A processor compares a load with a pending store by the
 * lower 12 bits of their addresses alone, so a copy to a slightly higher offset would wait for itself. Large arrays
 * begin at a page boundary; so do their pieces and the memory that they pass through.
 */
const ALIAS_BYTES = 4096
const BEGIN = ALIAS_BYTES
/** Rows of which a column of four float32 fills {@link ALIAS_BYTES}, and so does one of any multiple of four. */
const ALIAS_ROWS = ALIAS_BYTES / 16

let ofThisThread: StackKernel | undefined

/** The kernel that all stacks on this thread share. */
export function stackKernel(): StackKernel {
  ofThisThread ??= new StackKernel()
  return ofThisThread
}

/** The two operations of stacking, at memory speed: copies with one multiplication, and copies into columns. */
export class StackKernel {
  readonly #exports: KernelExports = instantiateKernel()
  #floats = new Float32Array(this.#exports.memory.buffer)

  /**
   * target = factor · source, each element one float32 multiplication.
   *
   * @param factor a float32
   * @returns whether every product is finite
   */
  scale(source: Float32Array, target: Float32Array, factor: number): boolean {
    const elements = PIECE_BYTES / 4
    this.#reserve(elements)
    const floats = this.#floats
    const begin = BEGIN / 4
    let finite = true
    for (let at = 0; at < source.length; at += elements) {
      const count = Math.min(elements, source.length - at)
      floats.set(source.subarray(at, at + count), begin)
      const padded = Math.ceil(count / 4) * 4
      floats.fill(0, begin + count, begin + padded)
      // Multiplied in place. The padding holds zero times the factor, which matters only if the factor is not finite.
      if (this.#exports.scale(BEGIN, BEGIN, padded, factor) === 0) finite = false
      target.set(floats.subarray(begin, begin + count), at)
    }
    return finite
  }

  /**
   * [B_1 | … | B_K]: matrices of `rows` rows side by side, bit for bit.
   *
   * @param parts row-major [rows, width_k]
   * @param target [rows, Σ width_k]
   * @returns whether every element is finite
   */
  join(parts: readonly Float32Array[], rows: number, target: Float32Array): boolean {
    const width = target.length / rows
    const rowsAtOnce = Math.min(rows, rowsOfWidth(width))
    this.#reserve(2 * rowsAtOnce * width)
    const floats = this.#floats
    const begin = BEGIN / 4
    const out = begin + rowsAtOnce * width
    let finite = true
    for (let row = 0; row < rows; row += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, rows - row)
      let column = 0
      for (const part of parts) {
        const own = part.length / rows
        floats.set(part.subarray(row * own, (row + count) * own), begin)
        const to = 4 * (out + column)
        if (this.#exports.spread(BEGIN, to, count, own, 4 * width) === 0) finite = false
        column += own
      }
      target.set(floats.subarray(out, out + count * width), row * width)
    }
    return finite
  }

  #reserve(elements: number): void {
    const { memory } = this.#exports
    const missing = BEGIN + 4 * elements - memory.buffer.byteLength
    if (missing <= 0) return
    memory.grow(Math.ceil(missing / PAGE_BYTES))
    this.#floats = new Float32Array(memory.buffer)
  }
}

/** How many rows of that width are joined at a time. */
function rowsOfWidth(width: number): number {
  const rows = Math.floor(JOINED_BYTES / 4 / width)
  return rows > ALIAS_ROWS ? rows - (rows % ALIAS_ROWS) : Math.max(1, rows)
}
