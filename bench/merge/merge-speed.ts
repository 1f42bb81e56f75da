import { peakMemoryBytes } from '../../lab/processes/peak-memory.ts'
import type { LoraPair } from '../../src/adapter/index.ts'
import { mergeThreads } from '../../src/node/workers/builder/merge-threads.ts'
import { stopwatch } from '../support/stopwatch.ts'

/** Numbers of ordinary size in shared memory, quickly generated. */
export function sharedNumbers(length: number): Float32Array {
  const values = new Float32Array(new SharedArrayBuffer(4 * length))
  for (let i = 0, state = length >>> 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    values[i] = state / 2 ** 31 - 1
  }
  return values
}

function pairOf(rows: number, columns: number, rank: number): LoraPair {
  return {
    module: 'm',
    rank,
    alpha: rank,
    inFeatures: columns,
    outFeatures: rows,
    A: sharedNumbers(rank * columns),
    B: sharedNumbers(rows * rank)
  }
}

/** GFLOP/s of one merge, best of several, after a warm-up. */
export async function mergeSpeed(
  rows: number,
  columns: number,
  rank: number,
  count: number
): Promise<number> {
  const threads = mergeThreads(count)
  const pair = pairOf(rows, columns, rank)
  const weight = sharedNumbers(rows * columns)
  let best = 0
  for (let repeat = 0; repeat < 8; repeat++) {
    const elapsed = stopwatch(count)
    await threads.merge(weight, pair)
    best = Math.max(best, (2 * rows * columns * rank) / elapsed() / 1e6)
  }
  await threads.stop()
  return best
}

/** GFLOP/s of one thread on the wall's clock, mean of several merges after a warm-up. */
export async function meanMergeSpeed(
  rows: number,
  columns: number,
  rank: number,
  merges: number
): Promise<number> {
  const threads = mergeThreads(1)
  const pair = pairOf(rows, columns, rank)
  const weight = sharedNumbers(rows * columns)
  await threads.merge(weight, pair)
  const begin = performance.now()
  for (let merge = 0; merge < merges; merge++) await threads.merge(weight, pair)
  return (2 * rows * columns * rank * merges) / (performance.now() - begin) / 1e6
}

/** A round of many modules, and its memory beyond the adapter. */
export interface RoundSpeed {
  readonly gflops: number
  /** Peak resident bytes above those with the adapter alone. */
  readonly peakBytes: number
}

/** Rows of a base weight that are in memory at a time, as they would come from a file. */
const ROWS_IN_MEMORY = 1024

/**
 * Merges a round module by module, the base weight passing through memory a piece at a time. Meant for a separate
 * process.
 */
export async function roundSpeed(
  rows: number,
  columns: number,
  modules: number,
  rank: number,
  count: number
): Promise<RoundSpeed> {
  const adapter = Array.from({ length: modules }, () => pairOf(rows, columns, rank))
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  let milliseconds = 0
  const threads = mergeThreads(count)
  const weight = sharedNumbers(ROWS_IN_MEMORY * columns)
  for (const pair of adapter) {
    for (let row = 0; row < rows; row += ROWS_IN_MEMORY) {
      const elapsed = stopwatch(count)
      await threads.merge(weight, pair, row)
      milliseconds += elapsed()
    }
  }
  await threads.stop()
  return {
    gflops: (2 * rows * columns * rank * modules) / milliseconds / 1e6,
    peakBytes: peakMemoryBytes() - before
  }
}
