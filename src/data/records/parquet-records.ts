import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { DataError } from './example.ts'
import type { ParquetJob, ParquetMessage } from './parquet-worker.ts'
import type { SourcedRecord } from './record-files.ts'

/** Time for one row group, in addition to the time for its bytes, milliseconds. */
const GROUP_MS = 60_000
const BYTES_PER_MS = 1024
/** Memory for the values of one group. */
const HEAP_MIB_MAX = 4096

/**
 * The rows of a Parquet file as records, with one row group in memory at a time. Values are converted to JSON values:
 * times, and 64-bit integers beyond 2^53, become strings. Null members of nested records are omitted, since Parquet has
 * no absent members.
 *
 * Decoding runs in a worker, which is stopped if it takes too long or too much memory, since a damaged file may claim
 * any number of values.
 *
 * @param groupMs time for one row group in addition to the time for its bytes
 * @throws {DataError} naming the file, if it is damaged, truncated, encrypted, compressed with an unsupported codec, or
 * has
 *   row groups that are too large
 */
export async function* readParquetRecords(path: string, groupMs = GROUP_MS): AsyncGenerator<SourcedRecord> {
  const job: ParquetJob = { path }
  const worker = new Worker(new URL('./parquet-worker.js', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX }
  })
  let limitMs = groupMs
  try {
    for (;;) {
      const news = await nextNews(worker, path, limitMs)
      if (news.kind === 'end') return
      if (news.kind === 'fault') throw new DataError(news.message)
      if (news.kind === 'group') limitMs = groupMs + Math.ceil(news.bytes / BYTES_PER_MS)
      else yield* news.rows
    }
  } finally {
    await worker.terminate()
  }
}

async function nextNews(worker: Worker, path: string, limitMs: number): Promise<ParquetMessage> {
  const deadline = AbortSignal.timeout(limitMs)
  worker.postMessage('next')
  try {
    const [news] = (await once(worker, 'message', { signal: deadline })) as [ParquetMessage]
    return news
  } catch (error) {
    if (deadline.aborted)
      throw new DataError(
        `${path} is damaged, or its row groups are too large: one took more than ${Math.round(limitMs / 1000)} s to read`
      )
    if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY')
      throw new DataError(
        `${path} is damaged, or its row groups are too large: one does not fit in ${HEAP_MIB_MAX} MiB`
      )
    throw error
  }
}
