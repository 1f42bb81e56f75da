import { availableParallelism } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import type { Log } from '../../log/log.ts'
import { BlockStore } from '../../storage/block-store.ts'
import { messageOf } from '../../storage/peer-error.ts'
import { buildRound } from './build-round.ts'
import type { Job, JobResult } from './jobs.ts'
import { mergeThreads } from './merge-threads.ts'
import { MissingBlocksError } from './read-pair.ts'
import { validateShards } from './validate-shards.ts'

/**
 * Entry of the worker thread that reads, validates, stacks and merges, so that the voting thread never waits for it.
 */
const port = parentPort!
const log = Object.fromEntries(
  (['debug', 'info', 'warn', 'error'] as const).map((level) => [
    level,
    (fields: object, message: string) => port.postMessage({ level, fields, message })
  ])
) as unknown as Log
/** More threads would not get more memory bandwidth. */
const MERGE_THREADS_MAX = 8
const threads = mergeThreads(Math.min(availableParallelism(), MERGE_THREADS_MAX))
const store = BlockStore.shared((workerData as { home: string }).home, log)

async function run(job: Job): Promise<JobResult> {
  try {
    if (job.type === 'build') return await buildRound(store, job, threads)
    return { type: 'validated', fault: await validateShards(store, job) }
  } catch (error) {
    if (error instanceof MissingBlocksError) return { type: 'missing', digests: error.digests }
    throw error
  }
}

/** One job at a time: each may need as much memory as the model. */
let previous: Promise<void> = Promise.resolve()
port.on('message', ({ id, job }: { id: number; job: Job }) => {
  previous = previous.then(async () => {
    try {
      port.postMessage({ id, result: await run(job) })
    } catch (error) {
      port.postMessage({ id, error: messageOf(error) })
    }
  })
})
