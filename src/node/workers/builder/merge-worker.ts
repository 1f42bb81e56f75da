import { parentPort } from 'node:worker_threads'
import { type MergeJob, mergeOpenRows } from './merge-job.ts'

/** Entry of a thread that helps with merges: it receives a job, and returns its number when no row is left. */
parentPort!.on('message', ({ id, job }: { id: number; job: MergeJob }) => {
  mergeOpenRows(job)
  parentPort!.postMessage(id)
})
