import { parentPort } from 'node:worker_threads'
import { type MergeJob, mergeOpenRows } from './merge-job.ts'

/** Entry of a thread that helps with merges: a job comes, and its number goes back when no row is left. */
parentPort!.on('message', ({ id, job }: { id: number; job: MergeJob }) => {
  mergeOpenRows(job)
  parentPort!.postMessage(id)
})
