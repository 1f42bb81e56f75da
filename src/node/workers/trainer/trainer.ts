import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { withoutSecrets } from '../../config/index.ts'
import type {
  MeasuredLoss,
  MeasuringJob,
  TrainerAnswer,
  TrainerRequest,
  TrainingJob,
  TrainingProgress,
  TrainingResult
} from './training-job.ts'

/** Time that the trainer process has to exit, milliseconds. */
const STOP_MS = 2_000
/** Time that a cancelled training has to reach its next step, where it stops; a process that hangs is killed. */
const CANCEL_MS = 60_000

/** Trains in a separate process: a native step does not block votes, and a crash does not take the daemon down. */
export interface Trainer {
  /**
   * Trains one round.
   *
   * @throws when the signal aborts, the training fails or the trainer process dies; the next call restarts it
   */
  train(
    job: TrainingJob,
    onProgress: (progress: TrainingProgress) => void,
    signal: AbortSignal
  ): Promise<TrainingResult>
  /**
   * Measures the held-out loss of the model, without and with an update, concurrently with training.
   *
   * @throws when the signal aborts, the measurement fails or the trainer process dies
   */
  measure(job: MeasuringJob, signal: AbortSignal): Promise<MeasuredLoss>
  /** The process, if started. */
  readonly pid: number | undefined
  /** Stops the process; the current and all later trainings are rejected. */
  stop(): Promise<void>
}

/** A trainer whose process starts with the first job and serves all later rounds. */
export function createTrainer(): Trainer {
  let child: ChildProcess | undefined
  let stopped = false
  const running = (): ChildProcess => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null || !child.connected) {
      const entry = fileURLToPath(new URL('./trainer-process.js', import.meta.url))
      child = fork(entry, [], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        serialization: 'advanced',
        env: withoutSecrets(process.env)
      })
      // Each job has its own listener; without this one a failed start would crash the daemon.
      child.on('error', () => undefined)
    }
    return child
  }
  let previous: Promise<unknown> = Promise.resolve()
  return {
    get pid() {
      return child?.pid
    },
    train(job, onProgress, signal) {
      // One job at a time: a cancelled one answers before the next starts.
      const result = previous.then(() => {
        signal.throwIfAborted()
        if (stopped) throw new Error('the trainer has been stopped')
        return runJob(running(), job, onProgress, signal)
      })
      previous = result.catch(() => undefined)
      return result
    },
    async measure(job, signal) {
      signal.throwIfAborted()
      if (stopped) throw new Error('the trainer has been stopped')
      return runMeasurement(running(), job, signal)
    },
    async stop() {
      stopped = true
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
  let killer: NodeJS.Timeout | undefined
  const cancel = () => {
    send(child, { type: 'cancel' }, () => undefined)
    killer = setTimeout(() => child.kill('SIGKILL'), CANCEL_MS)
  }
  const trained = ask<TrainingResult>(child, { type: 'train', job }, { signal, cancel }, (answer) => {
    if (answer.type === 'progress') onProgress(answer)
    if (answer.type === 'done') return { value: answer }
    if (answer.type === 'failed') return { fault: answer.reason }
    return answer.type === 'cancelled' ? { fault: 'the training was cancelled' } : undefined
  })
  return trained.finally(() => clearTimeout(killer))
}

let measurements = 0

/** Rejects as soon as the signal aborts, without waiting for the process. */
function runMeasurement(child: ChildProcess, job: MeasuringJob, signal: AbortSignal): Promise<MeasuredLoss> {
  const id = ++measurements
  const cancel = () => send(child, { type: 'stopMeasuring', id }, () => undefined)
  const request = { type: 'measure', id, job } as const
  return ask<MeasuredLoss>(child, request, { signal, cancel, isLeft: true }, (answer) => {
    if (answer.type !== 'measured' && answer.type !== 'unmeasured') return undefined
    if (answer.id !== id) return undefined
    return answer.type === 'measured' ? { value: answer.loss } : { fault: answer.reason }
  })
}

/** What an answer settles: a result or an error; undefined if it belongs to another request. */
type Settled<Result> = { readonly value: Result } | { readonly fault: string } | undefined

/** How a request is cancelled. */
interface Giving {
  readonly signal: AbortSignal
  /** Notifies the process when the signal aborts. */
  readonly cancel: () => void
  /** Whether the request is rejected then, rather than with the process's answer. */
  readonly isLeft?: boolean
}

/** Sends a request and waits for the answer that settles it, or for the process to end. */
function ask<Result>(
  child: ChildProcess,
  request: TrainerRequest,
  { signal, cancel, isLeft = false }: Giving,
  settle: (answer: TrainerAnswer) => Settled<Result>
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const finish = (act: () => void) => {
      signal.removeEventListener('abort', onAbort)
      child.off('message', onMessage)
      child.off('exit', onExit)
      child.off('error', onError)
      act()
    }
    const onAbort = () => {
      cancel()
      if (isLeft) finish(() => reject(signal.reason))
    }
    const onError = (error: Error) =>
      finish(() => reject(new Error(`the trainer process cannot be reached: ${error.message}`)))
    const onExit = (code: number | null, endedBy: string | null) =>
      finish(() => reject(new Error(`the trainer process ended (${endedBy ?? `exit code ${code}`})`)))
    const onMessage = (message: unknown) => {
      const settled = settle(message as TrainerAnswer)
      if (settled === undefined) return
      finish(() => ('value' in settled ? resolve(settled.value) : reject(new Error(settled.fault))))
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
    child.on('error', onError)
    signal.addEventListener('abort', onAbort, { once: true })
    send(child, request, onError)
  })
}

/** Sends if the process is connected; a channel that closes meanwhile is reported to `onError`, never thrown. */
function send(child: ChildProcess, request: TrainerRequest, onError: (error: Error) => void): void {
  if (!child.connected) return
  child.send(request, (error) => {
    if (error !== null) onError(error)
  })
}

/** Stops a child process by closing its channel, then by force. */
async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (child.connected) child.disconnect()
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(killer)
}
