import { fork } from 'node:child_process'
import { peakMemoryBytes } from './peak-memory.ts'

/** What a piece of work in a process of its own gave, and the most memory that the process ever held. */
export interface ChildOutcome<Result> {
  readonly result: Result
  /** Largest resident set, MB (10^6 bytes). */
  readonly peakMB: number
}

/**
 * Runs `script` again in a fresh process that is given `task`, and waits for what it answers through `answerParent`.
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

/** In a process that `inChild` started: does the task and answers; false in any other process. */
export function answerParent<Task>(work: (task: Task) => Promise<unknown>): boolean {
  if (!process.send) return false
  process.once('message', async (task) => {
    const result = await work(task as Task)
    process.send!({ result, peakMB: peakMemoryBytes() / 1e6 }, () => process.exit(0))
  })
  return true
}
