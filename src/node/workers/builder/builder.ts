import { Worker } from 'node:worker_threads'
import type { Log } from '../../log/log.ts'
import type { BuildJob, Built, Job, JobResult, MissingBlocks, Validated, ValidateJob } from './jobs.ts'

/** Runs the expensive pure part of a round outside the event loop. */
export interface Builder {
  validate(job: ValidateJob): Promise<Validated | MissingBlocks>
  build(job: BuildJob): Promise<Built | MissingBlocks>
  /** Stops the worker and rejects the current job. */
  stop(): Promise<void>
}

interface Pending {
  resolve(result: JobResult): void
  reject(error: Error): void
}

/** A message of the worker: the outcome of a job, or a log line. */
type WorkerMessage =
  | { readonly id: number; readonly result?: JobResult; readonly error?: string }
  | { readonly level: keyof Log; readonly fields: object; readonly message: string }

const WORKER = new URL('./build-worker.js', import.meta.url)

/**
 * A builder over the block store of the home folder `home`. Its worker thread starts with the first job; if it dies
 * (for instance because the model does not fit into memory), the current job is rejected and the next one restarts it.
 *
 * @param entry the worker's module
 */
export function startBuilder(home: string, log: Log, entry: URL = WORKER): Builder {
  let worker: BuildThread | undefined
  let stopped = false
  const submit = async <R extends JobResult>(job: Job): Promise<R> => {
    if (stopped) throw new Error('the builder has been stopped')
    if (worker === undefined || worker.failure !== undefined) worker = new BuildThread(home, log, entry)
    return (await worker.submit(job)) as R
  }
  return {
    validate: (job) => submit(job),
    build: (job) => submit(job),
    async stop() {
      stopped = true
      await worker?.terminate()
    }
  }
}

/** One worker thread, from its start to its end. */
class BuildThread {
  readonly #worker: Worker
  readonly #log: Log
  readonly #pending = new Map<number, Pending>()
  #count = 0
  #failure: Error | undefined

  constructor(home: string, log: Log, entry: URL) {
    this.#log = log
    this.#worker = new Worker(entry, { workerData: { home } })
    this.#worker.on('message', (said: WorkerMessage) => this.#take(said))
    this.#worker.on('error', (error) => this.#fail(error as Error))
    this.#worker.on('exit', () => this.#fail(new Error('the builder thread has ended')))
  }

  /** Why it accepts no more jobs, if it does not. */
  get failure(): Error | undefined {
    return this.#failure
  }

  submit(job: Job): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      this.#pending.set(++this.#count, { resolve, reject })
      this.#worker.postMessage({ id: this.#count, job })
    })
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #take(said: WorkerMessage): void {
    if ('level' in said) {
      this.#log[said.level](said.fields, said.message)
      return
    }
    const { id, result, error } = said
    const waiting = this.#pending.get(id)
    this.#pending.delete(id)
    if (result !== undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error))
  }

  /** `error` precedes `exit`, and only the first reason counts. */
  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#pending.values()) reject(this.#failure)
    this.#pending.clear()
  }
}
