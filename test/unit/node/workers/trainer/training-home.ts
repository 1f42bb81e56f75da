import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { type Home, roundFiles } from '../../../../../src/node/home/home.ts'
import { createTrainer, type Trainer } from '../../../../../src/node/workers/trainer/trainer.ts'
import type { TrainingJob } from '../../../../../src/node/workers/trainer/training-job.ts'
import { MODEL } from '../../one-member.ts'
import { temporaryHome } from '../../temporary-home.ts'

/** One trainer for all tests of a suite, as no training may affect a later one, and a fresh home for each test. */
export interface TrainerSuite {
  readonly trainer: Trainer
  readonly home: Home
  job(changes?: Partial<TrainingJob>): TrainingJob
}

/** Prepares the suite in which it is called; home and job are those of the test that runs. */
export function trainerSuite(): TrainerSuite {
  const trainer = createTrainer()
  let current: TrainingHome
  beforeEach(async () => {
    current = await trainingHome()
  })
  afterEach(() => current.remove())
  after(() => trainer.stop())
  return {
    trainer,
    get home() {
      return current.home
    },
    job: (changes) => current.job(changes)
  }
}

/** A signal that is never aborted. */
export const never: AbortSignal = new AbortController().signal

/** A home with twelve documents, and short trainings on them. */
export interface TrainingHome {
  readonly home: Home
  /** A short job of a few steps. */
  job(changes?: Partial<TrainingJob>): TrainingJob
  remove(): Promise<void>
}

export async function trainingHome(): Promise<TrainingHome> {
  const { home, remove } = await temporaryHome()
  const sentences = ['The sea was calm that day.', 'My fellow citizens, the state of the union is strong.']
  const lines = Array.from(
    { length: 12 },
    (_, i) => `${JSON.stringify({ text: sentences[i % 2]!.repeat(4) })}\n`
  )
  await writeFile(home.documents, lines.join(''))
  return {
    home,
    remove,
    job: (changes = {}) => ({
      round: 1,
      baseFolder: MODEL,
      modelFile: undefined,
      documents: home.documents,
      data: { loss: 'completions' },
      keptBack: undefined,
      modules: ['model.layers.0.self_attn.q_proj', 'model.layers.1.self_attn.v_proj'],
      rank: 2,
      alpha: 4,
      rankStabilised: false,
      training: {
        steps: 4,
        batchSize: 2,
        sequenceLength: 32,
        learningRate: 3e-3,
        warmupSteps: 1,
        clipNorm: 1,
        weightDecay: 0,
        dropout: 0,
        recompute: false,
        baseFormat: 'f32',
        threads: 1
      },
      seed: 5,
      documentSeed: 6,
      firstStep: 0,
      home: home.folder,
      localPath: roundFiles(home, 1).local,
      dtype: 'f32',
      residualFile: undefined,
      residualPath: roundFiles(home, 1).residual,
      ...changes
    })
  }
}

/** Process ids of this process's children that are trainers. */
export function trainerProcesses(): number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  const isTrainer = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('trainer-process')
  return children.split(' ').filter(Boolean).filter(isTrainer).map(Number)
}
