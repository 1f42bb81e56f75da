import { MergeKernel } from '../../../adapter/index.ts'

/** A merge shared by several threads; plain data over shared memory that can be sent to a worker. */
export interface MergeJob {
  /** Identifies A, so that a thread that has loaded it does not load it again. */
  readonly factor: number
  readonly rank: number
  readonly columns: number
  /** [rows, columns], merged in place. */
  readonly weight: Float32Array
  /** [rank, columns]. */
  readonly A: Float32Array
  /** [rows, rank]. */
  readonly B: Float32Array
  /** One number: the first unclaimed row. */
  readonly next: Int32Array
}

/** Rows that a thread claims at a time: enough to be worthwhile, few enough that all threads end together. */
const ROWS_AT_A_TIME = 64

let kernel: MergeKernel | undefined
/** The factor loaded in this thread's kernel. */
let loaded: number | undefined

/** Merges unclaimed rows until there are none. A row's bits do not depend on the thread. */
export function mergeOpenRows({ factor, rank, columns, weight, A, B, next }: MergeJob): void {
  const rows = weight.length / columns
  for (;;) {
    const row = Atomics.add(next, 0, ROWS_AT_A_TIME)
    if (row >= rows) return
    kernel ??= new MergeKernel()
    if (loaded !== factor) {
      loaded = undefined
      kernel.load(A, rank, columns)
      loaded = factor
    }
    const end = Math.min(rows, row + ROWS_AT_A_TIME)
    const piece = weight.subarray(row * columns, end * columns)
    kernel.addRows(piece, piece, B.subarray(row * rank, end * rank))
  }
}
