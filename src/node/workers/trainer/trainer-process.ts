import { createCorpusReader } from '../../../model/index.ts'
import { BlockStore } from '../../storage/block-store.ts'
import { messageOf } from '../../storage/peer-error.ts'
import type { TrainerConnection } from './external/connection.ts'
import { createExternalSession } from './external/external-session.ts'
import { openTrainer } from './external/open-trainer.ts'
import { createHeldBase } from './held-base.ts'
import { createHeldOutReader } from './held-out-reader.ts'
import { createMeasuringSession, type MeasuringSession } from './measure-update.ts'
import { createTrainingSession, type TrainingSession } from './train-round.ts'
import type { MeasuringJob, TrainerAnswer, TrainerRequest, TrainingJob } from './training-job.ts'

/** Entry of the trainer process: one training at a time, with measurements beside it, until the channel closes. */
const base = createHeldBase()
// Shared by both, because the kept-back documents are part of those read for training.
const corpora = createCorpusReader()
const readText = createHeldOutReader(base, corpora)
const training = createTrainingSession(base, corpora)
const measuring = createMeasuringSession(base, readText)
const inside: TrainingSession & MeasuringSession = { ...training, ...measuring }
let external: { readonly trainer: string; readonly session: typeof inside } | undefined
let connection: TrainerConnection | undefined
let running: AbortController | undefined
const measurements = new Map<number, AbortController>()

const answer = (message: TrainerAnswer): void => {
  // The channel may close at any moment if the daemon exits; `disconnect` follows.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}
/** The daemon logs the same warning from its own store. */
const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** The built-in engine, or the external trainer of a job. */
function sessionFor({ external: asked, home }: Pick<MeasuringJob, 'external' | 'home'>): typeof inside {
  if (asked === undefined) return inside
  const { trainer } = asked
  if (external?.trainer !== trainer) {
    void connection?.stop()
    connection = openTrainer(trainer, home)
    external = {
      trainer,
      session: createExternalSession(home, { connection, base, corpora, readText, measuring })
    }
  }
  return external.session
}

async function train(job: TrainingJob): Promise<void> {
  running = new AbortController()
  const { signal } = running
  try {
    const store = BlockStore.shared(job.home, silent)
    const report = (progress: object) => answer({ type: 'progress', ...progress } as TrainerAnswer)
    answer({ type: 'done', ...(await sessionFor(job).train(job, store, report, signal)) })
  } catch (error) {
    answer(signal.aborted ? { type: 'cancelled' } : { type: 'failed', reason: messageOf(error) })
  }
}

async function measure(id: number, job: MeasuringJob): Promise<void> {
  const stop = new AbortController()
  measurements.set(id, stop)
  try {
    const store = BlockStore.shared(job.home, silent)
    answer({ type: 'measured', id, loss: await sessionFor(job).measure(job, store, stop.signal) })
  } catch (error) {
    answer({ type: 'unmeasured', id, reason: messageOf(error) })
  } finally {
    measurements.delete(id)
  }
}

process.on('message', (request: TrainerRequest) => {
  if (request.type === 'train') void train(request.job)
  else if (request.type === 'cancel') running?.abort()
  else if (request.type === 'measure') void measure(request.id, request.job)
  else measurements.get(request.id)?.abort()
})
// Takes effect between two steps: a native step cannot be interrupted.
process.on('disconnect', () => process.exit(0))
// Ctrl-C reaches the whole group, and a supervisor's SIGTERM reaches every process; the daemon decides when training
// ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)
