import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type {
  TrainerAnswer,
  TrainerRequest,
  TrainingJob,
  TrainingProgress,
  TrainingResult
} from './training-job.ts'

/** How long the trainer process may take to end by itself, milliseconds. */
const STOP_MS = 2_000

/** Trains in a process of its own: a native step neither blocks the votes nor, should it crash, takes the daemon along. */
export interface Trainer {
  /**
   * Trains one round.
   *
   * @throws when the signal aborts, the training fails or the trainer process dies; the next call starts it anew
   */
  train(
    job: TrainingJob,
    onProgress: (progress: TrainingProgress) => void,
    signal: AbortSignal
  ): Promise<TrainingResult>
  stop(): Promise<void>
}

/** A trainer whose process starts with the first job and serves all rounds after it. */
export function createTrainer(): Trainer {
  let child: ChildProcess | undefined
  const running = (): ChildProcess => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null || !child.connected) {
      const entry = fileURLToPath(new URL('./trainer-process.js', import.meta.url))
      child = fork(entry, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], serialization: 'advanced' })
    }
    return child
  }
  let previous: Promise<unknown> = Promise.resolve()
  return {
    train(job, onProgress, signal) {
      // One job at a time: a cancelled one answers before the next begins.
      const result = previous.then(() => runJob(running(), job, onProgress, signal))
      previous = result.catch(() => undefined)
      return result
    },
    async stop() {
      if (child !== undefined) await endProcess(child)
      child = undefined
    }
  }
}

function runJob(
  child: ChildProcess,
  job: TrainingJob,
  onProgress: (progress: TrainingProgress) => void,
  signal: AbortSignal
): Promise<TrainingResult> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const cancel = () => child.connected && child.send({ type: 'cancel' } satisfies TrainerRequest)
    const finish = (act: () => void) => {
      signal.removeEventListener('abort', cancel)
      child.off('message', onMessage)
      child.off('exit', onExit)
      act()
    }
    const onExit = (code: number | null, killer: string | null) =>
      finish(() => reject(new Error(`the trainer process ended (${killer ?? `exit code ${code}`})`)))
    const onMessage = (message: unknown) => {
      const answer = message as TrainerAnswer
      if (answer.type === 'progress') return onProgress(answer)
      if (answer.type === 'done') return finish(() => resolve(answer))
      const reason = answer.type === 'failed' ? answer.reason : 'the training was cancelled'
      finish(() => reject(new Error(reason)))
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
    signal.addEventListener('abort', cancel, { once: true })
    child.send({ type: 'train', job } satisfies TrainerRequest)
  })
}

/** Ends a child process: by closing its channel, then by force. */
async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (child.connected) child.disconnect()
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(killer)
}
