import { MergeKernel } from '../../../adapter/index.ts'

/** A merge that several threads share; plain data over shared memory, so that it can cross into a worker. */
export interface MergeJob {
  /** Names A: a thread that has it loaded does not load it again. */
  readonly factor: number
  readonly rank: number
  readonly columns: number
  /** [rows, columns], merged in place. */
  readonly weight: Float32Array
  /** [rank, columns]. */
  readonly A: Float32Array
  /** [rows, rank]. */
  readonly B: Float32Array
  /** One number: the first row that nobody has taken. */
  readonly next: Int32Array
}

/** Rows that a thread takes at a time: enough to be worth taking, few enough that threads end together. */
const ROWS_AT_A_TIME = 64

let kernel: MergeKernel | undefined
/** The job's factor that this thread's kernel holds. */
let loaded: number | undefined

/** Merges rows that nobody has taken until there are none. Which thread merges a row does not show in its bits. */
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
