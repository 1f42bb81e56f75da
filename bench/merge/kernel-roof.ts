import { instantiateKernel, MEMORY_BEGIN, PAGE_BYTES } from '../../src/adapter/kernel/kernel-module.ts'
import { stopwatch } from '../support/stopwatch.ts'

/** Tiles and depth whose A, B and weights all fit in the first-level cache. */
const TILES = 4
const DEPTH = 160
const ROW_BYTES = 32
const CALLS = 2000
const REPEATS = 30
/** Larger than any cache. */
const COPY_BYTES = 64 * 2 ** 20
const COPY_REPEATS = 8

/** The upper bounds of a merge with this kernel on one thread of this machine. */
export interface KernelRoof {
  /** GFLOP/s of the inner loop with everything in the first-level cache: no memory, no packing. */
  readonly loopGflops: number
  /** GB/s at which a weight is copied from memory to memory. */
  readonly copyGBps: number
}

/** Measures both, best of several, in processor time. */
export function kernelRoof(): KernelRoof {
  return { loopGflops: loopSpeed(), copyGBps: copySpeed() }
}

/**
 * GFLOP/s of W[rows, columns] += B·A if the loop takes its time and the weight passes through memory twice, in and out.
 */
export function roofOf(
  { loopGflops, copyGBps }: KernelRoof,
  rows: number,
  columns: number,
  rank: number
): number {
  const operations = (2 * rows * columns * rank) / 1e9
  const seconds = operations / loopGflops + (2 * 4 * rows * columns) / 1e9 / copyGBps
  return operations / seconds
}

function loopSpeed(): number {
  const { memory, addTiles } = instantiateKernel()
  memory.grow(Math.ceil((DEPTH * (ROW_BYTES + 16 * TILES)) / PAGE_BYTES) + 1)
  const b = MEMORY_BEGIN + DEPTH * ROW_BYTES
  const weight = b + 16 * DEPTH * TILES
  new Float32Array(memory.buffer, MEMORY_BEGIN, (weight - MEMORY_BEGIN) / 4).fill(2 ** -20)
  const operations = 2 * 4 * 8 * TILES * DEPTH * CALLS
  return best(
    REPEATS,
    () => {
      for (let call = 0; call < CALLS; call++) addTiles(MEMORY_BEGIN, b, weight, DEPTH, TILES, 1, ROW_BYTES)
    },
    operations
  )
}

function copySpeed(): number {
  const [from, to] = [new Uint8Array(COPY_BYTES).fill(1), new Uint8Array(COPY_BYTES).fill(2)]
  return best(COPY_REPEATS, () => to.set(from), COPY_BYTES)
}

/** Billions of `amount` a second. */
function best(repeats: number, work: () => void, amount: number): number {
  let most = 0
  for (let repeat = 0; repeat < repeats; repeat++) {
    const elapsed = stopwatch(1)
    work()
    most = Math.max(most, amount / elapsed() / 1e6)
  }
  return most
}
