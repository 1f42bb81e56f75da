import { fork } from 'node:child_process'
import { peakMemoryBytes } from './peak-memory.ts'

/** The result of a task in a separate process, and the process's peak memory. */
export interface ChildOutcome<Result> {
  readonly result: Result
  /** Largest resident set, MB (10^6 bytes). */
  readonly peakMB: number
}

/**
 * Runs `script` in a new process with `task`, and waits for its answer through `answerParent`.
 *
 * @throws {Error} when the process ends without an answer
 */
export async function inChild<Result>(script: string, task: object): Promise<ChildOutcome<Result>> {
  const child = fork(script, [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced'
  })
  child.send(task)
  return await new Promise((resolve, reject) => {
    let answer: ChildOutcome<Result> | undefined
    child.on('message', (message) => {
      answer = message as ChildOutcome<Result>
    })
    child.on('error', reject)
    child.on('exit', (code, signal) =>
      answer ? resolve(answer) : reject(new Error(`the measuring process ended (${code ?? signal})`))
    )
  })
}

/** In a process started by `inChild`, runs the task and answers; returns false in any other process. */
export function answerParent<Task>(work: (task: Task) => Promise<unknown>): boolean {
  if (!process.send) return false
  process.once('message', async (task) => {
    const result = await work(task as Task)
    process.send!({ result, peakMB: peakMemoryBytes() / 1e6 }, () => process.exit(0))
  })
  return true
}
