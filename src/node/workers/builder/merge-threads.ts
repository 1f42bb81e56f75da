import { Worker } from 'node:worker_threads'
import { AdapterError, checkMerge, type LoraPair } from '../../../adapter/index.ts'
import { type MergeJob, mergeOpenRows } from './merge-job.ts'
import { ReusedMemory } from './reused-memory.ts'

const WORKER = new URL('./merge-worker.js', import.meta.url)
/** Number of multiplications below which a merge ends before another thread could start. */
const SHARED_WORK_MIN = 2 ** 24

/** The canonical merge on several threads, split by output rows: the same bits for any number of threads. */
export interface MergeThreads {
  /**
   * weight += B·A, in place: a whole weight, or some rows of it. Consecutive pieces of one module load A only once.
   *
   * @param weight rows [.., in] over a SharedArrayBuffer; other memory is merged on this thread only
   * @param pair of scale 1; its factors must not change between the pieces
   * @param row the weight's first row within the module
   * @throws {AdapterError} when the shapes do not fit or alpha ≠ rank
   * @throws {Error} when a thread has died; the weight is undefined then, and further merges do without threads
   */
  merge(weight: Float32Array, pair: LoraPair, row?: number): Promise<void>
  /** Stops the other threads. */
  stop(): Promise<void>
}

/**
 * Threads for merges, including the calling one. The others start with the first merge that is large enough.
 *
 * @param count threads in all, at least 1
 * @param entry the other threads' module
 */
export function mergeThreads(count: number, entry: URL = WORKER): MergeThreads {
  let helpers: Helper[] | undefined
  let current: CurrentPair | undefined
  const [memoryOfA, memoryOfB] = [sharedMemory(), sharedMemory()]
  return {
    async merge(weight, pair, row = 0) {
      if (current?.pair !== pair) current = currentPair(pair)
      const isLarge = pair.rank * weight.length >= SHARED_WORK_MIN
      if (count === 1 || !isLarge || !(weight.buffer instanceof SharedArrayBuffer))
        return mergeOpenRows(jobOf(weight, current, row))
      const { A, B } = current
      current = { ...current, A: toShared(A, memoryOfA), B: toShared(B, memoryOfB) }
      const job = jobOf(weight, current, row)
      helpers ??= Array.from({ length: count - 1 }, () => new Helper(entry))
      const helped = helpers.map((helper) => helper.help(job))
      // A rejection while this thread is busy below is awaited after it.
      for (const each of helped) each.catch(() => undefined)
      mergeOpenRows(job)
      try {
        await Promise.all(helped)
      } catch (error) {
        count = 1
        throw error
      }
    },
    async stop() {
      await Promise.all((helpers ?? []).map((helper) => helper.stop()))
      helpers = undefined
      current = undefined
      count = 1
    }
  }
}

/** `values` in shared memory: themselves if they already are, else a copy. */
export function toShared(values: Float32Array, memory: ReusedMemory = sharedMemory()): Float32Array {
  if (values.buffer instanceof SharedArrayBuffer) return values
  const shared = new Float32Array(memory.take(values.byteLength).buffer, 0, values.length)
  shared.set(values)
  return shared
}

function sharedMemory(): ReusedMemory {
  return new ReusedMemory((byteLength) => new SharedArrayBuffer(byteLength))
}

/** The pair being merged, and its factors in memory that every merging thread can read. */
interface CurrentPair {
  readonly pair: LoraPair
  readonly factor: number
  readonly A: Float32Array
  readonly B: Float32Array
}

/** Counts the factors ever merged by this thread, whose callers share one kernel. */
let factors = 0

function currentPair(pair: LoraPair): CurrentPair {
  checkMerge({ length: pair.outFeatures * pair.inFeatures }, pair)
  return { pair, factor: ++factors, A: pair.A, B: pair.B }
}

function jobOf(weight: Float32Array, { pair, factor, A, B }: CurrentPair, row: number): MergeJob {
  const { module, rank, inFeatures, outFeatures } = pair
  const rows = weight.length / inFeatures
  if (!Number.isInteger(rows) || row + rows > outFeatures)
    throw new AdapterError(`${module}: the weight has another shape`)
  const next = new Int32Array(new SharedArrayBuffer(4))
  const ofRows = B.subarray(row * rank, (row + rows) * rank)
  return { factor, rank, columns: inFeatures, weight, A, B: ofRows, next }
}

/** One other thread. */
class Helper {
  readonly #worker: Worker
  readonly #waiting = new Map<number, { resolve(): void; reject(error: Error): void }>()
  #count = 0
  #failure: Error | undefined

  constructor(entry: URL) {
    this.#worker = new Worker(entry)
    // It must not keep the process alive while idle.
    this.#worker.unref()
    this.#worker.on('message', (id: number) => {
      this.#waiting.get(id)?.resolve()
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) this.#worker.unref()
    })
    this.#worker.on('error', (error) => this.#fail(error as Error))
    this.#worker.on('exit', () => this.#fail(new Error('a merge thread has ended')))
  }

  help(job: MergeJob): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure)
        return
      }
      this.#waiting.set(++this.#count, { resolve, reject })
      this.#worker.ref()
      this.#worker.postMessage({ id: this.#count, job })
    })
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#waiting.values()) reject(this.#failure)
    this.#waiting.clear()
  }
}
