import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { DataError } from './example.ts'
import type { ParquetJob, ParquetNews } from './parquet-worker.ts'
import type { SourcedRecord } from './record-files.ts'

/** Time for one group of rows, beside the time for its bytes. */
const GROUP_MS = 60_000
const BYTES_PER_MS = 1024
/** Memory for the values of one group. */
const HEAP_MIB_MAX = 4096

/**
 * The rows of a Parquet file as records, of which one group of rows is in memory at a time. What a row says becomes what
 * JSON can say: whole numbers of 64 bits and times may become texts, and members of nested records that are null are left
 * out, since Parquet cannot say that a record has no such member.
 *
 * A worker reads it, since a damaged file may claim any number of values: it is stopped when it takes too long, or too
 * much memory.
 *
 * @param groupMs time for one group of rows beside the time for its bytes
 * @throws {DataError} naming the file, when it is damaged, cut off, encrypted, packed in a way that is not read, or in
 *   groups of rows that are too large
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

async function nextNews(worker: Worker, path: string, limitMs: number): Promise<ParquetNews> {
  const deadline = AbortSignal.timeout(limitMs)
  worker.postMessage('next')
  try {
    const [news] = (await once(worker, 'message', { signal: deadline })) as [ParquetNews]
    return news
  } catch (error) {
    if (deadline.aborted)
      throw new DataError(
        `${path} is damaged, or its groups of rows are too large: one took more than ${Math.round(limitMs / 1000)} s to read`
      )
    if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY')
      throw new DataError(
        `${path} is damaged, or its groups of rows are too large: one does not fit into ${HEAP_MIB_MAX} MiB`
      )
    throw error
  }
}
