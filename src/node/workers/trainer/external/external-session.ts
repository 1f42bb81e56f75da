import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type CorpusReader, linearModules } from '../../../../model/index.ts'
import { readPeftFolder, writePeftFolder } from '../../../export/peft-files.ts'
import type { HeldBase } from '../held-base.ts'
import { type HeldOutReader, targetsOf } from '../held-out-reader.ts'
import { clippedUpdate, type MeasuringSession } from '../measure-update.ts'
import { newNotes } from '../new-notes.ts'
import { publishAdapter } from '../publish-adapter.ts'
import { readTrainingData, sizeOf, type TrainingSession } from '../train-round.ts'
import type { TrainingJob } from '../training-job.ts'
import { textBatches, writeBatches } from './batches-file.ts'
import { requireAskedAdapter } from './check-result.ts'
import type { TrainerConnection } from './connection.ts'
import type { TrainRequest } from './contract.ts'
import { changedWeights, jobFolders, requestKey, trainerFolders } from './job-folders.ts'

/** What the sessions share. */
interface Components {
  readonly connection: TrainerConnection
  readonly base: Pick<HeldBase, 'describe'>
  readonly corpora: CorpusReader
  readonly readText: HeldOutReader
  /** Measures where the trainer cannot. */
  readonly measuring: MeasuringSession
}

/** Trainings and measurements by an external trainer (docs/trainers.md), in place of the engine inside. */
export function createExternalSession(
  home: string,
  { connection, base, corpora, readText, measuring }: Components
): TrainingSession & MeasuringSession {
  const inFolder = jobFolders(home)
  const changed = changedWeights()
  const fresh = newNotes()
  const weights = ({ baseFolder, modelFile }: Pick<TrainingJob, 'baseFolder' | 'modelFile'>) => ({
    base: baseFolder,
    merged: modelFile ?? null,
    changed: changed(modelFile, connection.requests === 0)
  })

  return {
    train: (job, store, onProgress, signal) =>
      inFolder(async (folder) => {
        const description = base.describe(job.baseFolder)
        const data = await readTrainingData(job, description, corpora)
        const { steps } = job.training
        const batches = join(folder, 'batches.safetensors')
        const at = (step: number) => data.stream.nextBatch(job.firstStep + step)
        const digest = await writeBatches(batches, { count: steps, at }, signal)
        const output = join(folder, 'output')
        await mkdir(output)
        const trainer = await connection.ready(signal)
        const asked = askedOf(job)
        const request = { ...asked, batches, output, checkpoint: trainerFolders(home).checkpoint }
        // A repetition after a restart is due at another time, and is the same training all the same.
        const { deadline: _deadline, ...lasting } = asked
        const key = requestKey([lasting, job.baseFolder, job.modelFile, digest])
        const result = await connection.train({ ...request, ...weights(job), key }, onProgress, signal)
        const adapter = requireAskedAdapter(
          await readPeftFolder(result.folder),
          job,
          linearModules(description.config)
        )
        const { name, version, device, precision } = { ...trainer, ...result }
        const { steps: made, privacy } = result
        const size = { ...sizeOf(data), ...(result.samples !== undefined && { samples: result.samples }) }
        return {
          ...(await publishAdapter(adapter, size, job, store)),
          notes: fresh(data.notes),
          trainer: { name, version, device, precision, steps: made, privacy }
        }
      }),

    async measure(job, store, signal) {
      if (!connection.offers('evaluate')) return measuring.measure(job, store, signal)
      return inFolder(async (folder) => {
        const { config } = base.describe(job.baseFolder)
        const batches = join(folder, 'batches.safetensors')
        const text = await readText(job)
        await writeBatches(batches, textBatches(text, config.maxPositions), signal)
        const loss = (of: string | null) =>
          connection.evaluate({ ...weights(job), adapter: of, batches }, signal)
        const targets = targetsOf(text)
        const before = job.before ?? (await loss(null))
        if (job.shards.length === 0) return { before, after: before, targets }
        const adapter = join(folder, 'update')
        const update = await clippedUpdate(job, store)
        await writePeftFolder(adapter, update, job.baseFolder, 'F32', job.rankStabilised)
        return { before, after: await loss(adapter), targets }
      })
    }
  }
}

/** What of a request follows from the job alone. */
function askedOf(
  job: TrainingJob
): Omit<
  TrainRequest,
  'id' | 'type' | 'key' | 'base' | 'merged' | 'changed' | 'batches' | 'output' | 'checkpoint'
> {
  const { steps, batchSize, sequenceLength, learningRate, warmupSteps } = job.training
  const { weightDecay, clipNorm, dropout, threads } = job.training
  return {
    round: job.round,
    modules: [...job.modules],
    rank: job.rank,
    alpha: job.alpha,
    rsLora: job.rankStabilised,
    seed: job.seed,
    data: job.documents,
    training: {
      ...{ steps, batchSize, sequenceLength, learningRate, warmupSteps },
      ...{ weightDecay, clipNorm, dropout, threads }
    },
    deadline: new Date(job.external!.deadline).toISOString()
  }
}
