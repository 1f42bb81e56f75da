import { messageOf } from '../errors.ts'
import { BlockStore } from '../store/block-store.ts'
import { createTrainingSession } from './train-round.ts'
import type { TrainerAnswer, TrainerRequest, TrainingJob } from './training-job.ts'

/** Entry of the trainer process: one job after the other, until the daemon closes the channel. */
const session = createTrainingSession()
let running: AbortController | undefined

const answer = (message: TrainerAnswer): void => {
  // The channel may close at any moment: the daemon is gone, and `disconnect` follows.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}
/** The daemon's log has the same warning from its own store. */
const silent = { debug() {}, info() {}, warn() {}, error() {} }

async function train(job: TrainingJob): Promise<void> {
  running = new AbortController()
  const { signal } = running
  try {
    const store = BlockStore.shared(job.home, silent)
    const report = (progress: object) => answer({ type: 'progress', ...progress } as TrainerAnswer)
    answer({ type: 'done', ...(await session.train(job, store, report, signal)) })
  } catch (error) {
    answer(signal.aborted ? { type: 'cancelled' } : { type: 'failed', reason: messageOf(error) })
  }
}

process.on('message', (request: TrainerRequest) => {
  if (request.type === 'train') void train(request.job)
  else running?.abort()
})
// Between two steps at the latest: a native step cannot be broken off.
process.on('disconnect', () => process.exit(0))
// Ctrl-C reaches the whole group, and a supervisor's SIGTERM every process; the daemon decides when training ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)
