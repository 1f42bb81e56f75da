import { AdapterError } from '../pair/adapter-error.ts'
import { instantiateKernel, type KernelExports, MEMORY_BEGIN, PAGE_BYTES } from './kernel-module.ts'
import type { WeightData, WeightDtype } from './weight-data.ts'

/** Columns and rows of a tile, as in the assembly. */
const TILE_COLUMNS = 8
const TILE_ROWS = 4
/** Bytes of weight rows processed at once: together with the current panel they stay in a core's second-level cache. */
const ROWS_BYTES = 256 * 1024
const ROWS_MAX = 32
/** Rows whose distance is a multiple of this compete for the same few cache lines, so they are moved apart. */
const ALIASED_BYTES = 1024

let ofThisThread: MergeKernel | undefined

/** The kernel that all merges on this thread share, so that its memory is allocated once. */
export function mergeKernel(): MergeKernel {
  ofThisThread ??= new MergeKernel()
  return ofThisThread
}

/**
 * The canonical merge on one thread: a factor A in the kernel's own memory, and rows of W + B·A in any pieces and
 * order. Per element a float32 accumulator from 0, k ascending, multiply rounded, add rounded (no fused multiply-add),
 * then one addition to W: the same bits on every processor (docs/spec/aggregation.md).
 *
 * Its memory is about the size of A, and grows to the largest A loaded so far.
 */
export class MergeKernel {
  readonly #exports: KernelExports
  #floats: Float32Array
  #halves: Uint16Array
  #rank = 0
  #columns = 0
  #rowsAtOnce = 0
  #b = 0
  #rows = 0
  #scratch = 0
  #strideBytes = 0

  constructor() {
    this.#exports = instantiateKernel()
    this.#floats = new Float32Array(this.#exports.memory.buffer)
    this.#halves = new Uint16Array(this.#exports.memory.buffer)
  }

  /**
   * Loads a factor for the following calls of {@link addRows}.
   *
   * @param A [rank, columns], row-major; copied
   * @throws {AdapterError} when it does not fit in the machine's memory
   */
  load(A: Float32Array, rank: number, columns: number): void {
    const panels = Math.ceil(columns / TILE_COLUMNS)
    const width = panels * TILE_COLUMNS
    const rowBytes = 4 * width
    this.#strideBytes = rowBytes % ALIASED_BYTES === 0 ? rowBytes + 4 * TILE_COLUMNS : rowBytes
    const rows = Math.min(ROWS_MAX, Math.max(TILE_ROWS, Math.floor(ROWS_BYTES / rowBytes)))
    this.#rowsAtOnce = rows - (rows % TILE_ROWS)
    this.#rank = rank
    this.#columns = columns
    this.#b = MEMORY_BEGIN + rank * rowBytes
    this.#rows = this.#b + 4 * this.#rowsAtOnce * rank
    this.#scratch = this.#rows + this.#rowsAtOnce * this.#strideBytes
    this.#reserve(this.#scratch + Math.max(rowBytes, 4 * this.#rowsAtOnce * rank))
    const row = this.#scratch / 4
    this.#floats.fill(0, row + columns, row + width)
    for (let k = 0; k < rank; k++) {
      this.#floats.set(A.subarray(k * columns, (k + 1) * columns), row)
      const target = MEMORY_BEGIN + 4 * TILE_COLUMNS * k
      this.#exports.packRow(this.#scratch, target, panels, 4 * TILE_COLUMNS * rank)
    }
  }

  /**
   * target = source + B·A for whole rows, where A is the loaded factor. f16 and bf16 are widened exactly, added to in
   * float32, and rounded once at the end, to nearest, ties to even.
   *
   * @param source [rows, columns]
   * @param target of the same size and format; may be `source` itself
   * @param B [rows, rank]
   * @throws {AdapterError} when the sizes do not fit together
   */
  addRows(source: WeightData, target: WeightData, B: Float32Array, dtype: WeightDtype = 'f32'): void {
    const columns = this.#columns
    const rows = B.length / this.#rank
    if (source.length !== rows * columns || target.length !== source.length)
      throw new AdapterError(`${B.length} elements of B do not fit ${source.length} of the weight`)
    const panels = Math.ceil(columns / TILE_COLUMNS)
    for (let row = 0; row < rows; row += this.#rowsAtOnce) {
      const count = Math.min(this.#rowsAtOnce, rows - row)
      const tiles = Math.ceil(count / TILE_ROWS)
      this.#packB(B, row, count, tiles)
      for (let r = 0; r < count; r++) this.#bringIn(source, (row + r) * columns, r, dtype)
      this.#exports.addTiles(MEMORY_BEGIN, this.#b, this.#rows, this.#rank, tiles, panels, this.#strideBytes)
      for (let r = 0; r < count; r++) this.#takeOut(target, (row + r) * columns, r, dtype)
    }
  }

  #packB(B: Float32Array, begin: number, count: number, tiles: number): void {
    const rank = this.#rank
    const at = this.#scratch / 4
    this.#floats.set(B.subarray(begin * rank, (begin + count) * rank), at)
    this.#floats.fill(0, at + count * rank, at + tiles * TILE_ROWS * rank)
    this.#exports.packTiles(this.#scratch, this.#b, tiles, rank)
  }

  #bringIn(source: WeightData, begin: number, row: number, dtype: WeightDtype): void {
    const values = source.subarray(begin, begin + this.#columns)
    const at = this.#rows + row * this.#strideBytes
    if (dtype === 'f32') {
      this.#floats.set(values, at / 4)
      return
    }
    this.#halves.set(values, this.#scratch / 2)
    const count = Math.ceil(this.#columns / 4) * 4
    if (dtype === 'f16') this.#exports.widenFloat16(this.#scratch, at, count)
    else this.#exports.widenBfloat16(this.#scratch, at, count)
  }

  #takeOut(target: WeightData, begin: number, row: number, dtype: WeightDtype): void {
    const at = this.#rows + row * this.#strideBytes
    if (dtype === 'f32') {
      target.set(this.#floats.subarray(at / 4, at / 4 + this.#columns), begin)
      return
    }
    const count = Math.ceil(this.#columns / 4) * 4
    if (dtype === 'f16') this.#exports.narrowFloat16(at, this.#scratch, count)
    else this.#exports.narrowBfloat16(at, this.#scratch, count)
    target.set(this.#halves.subarray(this.#scratch / 2, this.#scratch / 2 + this.#columns), begin)
  }

  #reserve(bytes: number): void {
    const { memory } = this.#exports
    const missing = bytes - memory.buffer.byteLength
    if (missing <= 0) return
    try {
      memory.grow(Math.ceil(missing / PAGE_BYTES))
    } catch {
      throw new AdapterError(`the merge needs ${bytes} bytes for one factor, more than is available`)
    }
    this.#floats = new Float32Array(memory.buffer)
    this.#halves = new Uint16Array(memory.buffer)
  }
}
