import { Worker } from 'node:worker_threads'
import type { Log } from '../store/log.ts'
import type { BuildJob, Built, Job, JobResult, MissingBlocks, Validated, ValidateJob } from './jobs.ts'

/** Runs the heavy, pure part of a round beside the event loop. */
export interface Builder {
  validate(job: ValidateJob): Promise<Validated | MissingBlocks>
  build(job: BuildJob): Promise<Built | MissingBlocks>
  /** Ends the worker; what is under way is rejected. */
  stop(): Promise<void>
}

interface Pending {
  resolve(result: JobResult): void
  reject(error: Error): void
}

/** What the worker says: the outcome of a job, or a line for the log. */
type WorkerMessage =
  | { readonly id: number; readonly result?: JobResult; readonly error?: string }
  | { readonly level: keyof Log; readonly fields: object; readonly message: string }

/** Starts the worker thread over the block store of the home folder `home`. */
export function startBuilder(home: string, log: Log): Builder {
  const worker = new Worker(new URL('./build-worker.js', import.meta.url), { workerData: { home } })
  const pending = new Map<number, Pending>()
  let failure: Error | undefined
  let count = 0
  const fail = (error: Error) => {
    failure = error
    for (const { reject } of pending.values()) reject(error)
    pending.clear()
  }
  worker.on('message', (said: WorkerMessage) => {
    if ('level' in said) return log[said.level](said.fields, said.message)
    const { id, result, error } = said
    const waiting = pending.get(id)
    pending.delete(id)
    if (result !== undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error))
  })
  worker.on('error', (error) => fail(error as Error))
  worker.on('exit', () => fail(failure ?? new Error('the builder has stopped')))
  const submit = <R extends JobResult>(job: Job): Promise<R> =>
    new Promise<JobResult>((resolve, reject) => {
      if (failure !== undefined) return reject(failure)
      pending.set(++count, { resolve, reject })
      worker.postMessage({ id: count, job })
    }) as Promise<R>
  return {
    validate: (job) => submit(job),
    build: (job) => submit(job),
    async stop() {
      await worker.terminate()
    }
  }
}
