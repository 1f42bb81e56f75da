import {
  type BaseModelDescription,
  type CorpusReader,
  chooseExecutor,
  createLoraTrainer,
  type LoraTrainer,
  loadTrainingData,
  type TrainingData
} from '../../../model/index.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import type { HeldBase } from './held-base.ts'
import { newNotes } from './new-notes.ts'
import { publishAdapter } from './publish-adapter.ts'
import type { TrainingJob, TrainingProgress, TrainingResult } from './training-job.ts'

/** State kept between rounds: the base weights, the compiled step, and the documents' tokens. */
export interface TrainingSession {
  /** Trains one round and stores its shards; `local.safetensors` is written last. */
  train(
    job: TrainingJob,
    store: BlockStore,
    onProgress: (progress: TrainingProgress) => void,
    signal: AbortSignal
  ): Promise<TrainingResult>
}

/** The documents of a job, packed into its batches. */
export function readTrainingData(
  { data, documents, baseFolder, documentSeed, keptBack, training }: TrainingJob,
  { tokenizer }: BaseModelDescription,
  corpora: CorpusReader
): Promise<TrainingData> {
  const { batchSize, sequenceLength } = training
  const source = { data: documents, folder: baseFolder, tokenizer }
  return loadTrainingData(
    { ...data, ...source, batchSize, sequenceLength, seed: documentSeed, keptBack },
    corpora
  )
}

/** How much there is to train on. */
export function sizeOf({ examples, stream }: TrainingData): { samples: number; targets: number } {
  return { samples: examples, targets: stream.targets }
}

/** A session without a compiled step yet. */
export function createTrainingSession(base: HeldBase, corpora: CorpusReader): TrainingSession {
  let compiled: { key: string; trainer: LoraTrainer } | undefined
  let fallback: string | undefined
  const fresh = newNotes()

  const trainerFor = async (
    { folder, config }: BaseModelDescription,
    isolateDocuments: boolean,
    job: TrainingJob
  ): Promise<LoraTrainer> => {
    const { batchSize, sequenceLength, threads, executor, device, ...training } = job.training
    const { dropout, recompute, baseFormat } = training
    const { modules, rank, alpha, rankStabilised } = job
    const lora = { rank, alpha, targetModules: modules, rsLora: rankStabilised, dropout }
    const shape = { batchSize, sequenceLength, isolateDocuments, recompute, baseFormat }
    const key = JSON.stringify([folder, lora, shape, threads, executor, device])
    if (compiled?.key !== key) {
      const before = compiled
      compiled = undefined
      await before?.trainer.dispose()
      const chosen = await chooseExecutor({
        executor,
        device,
        threads,
        onFallback: (reason) => {
          fallback = reason
        }
      })
      compiled = { key, trainer: await createLoraTrainer({ config, ...lora, ...shape, executor: chosen }) }
    }
    return compiled.trainer
  }

  return {
    async train(job, store, onProgress, signal) {
      const { training } = job
      const description = base.describe(job.baseFolder)
      const data = await readTrainingData(job, description, corpora)
      const trainer = await trainerFor(description, data.packing === 'isolated', job)
      // A cancelled training must not replace weights that others now use.
      signal.throwIfAborted()
      const { adapter } = await trainer.train({
        weights: base.weights(job),
        seed: job.seed,
        steps: training.steps,
        nextBatch: (step) => data.stream.nextBatch(job.firstStep + step),
        schedule: { kind: 'cosine', learningRate: training.learningRate, warmupSteps: training.warmupSteps },
        optimizer: { weightDecay: training.weightDecay },
        clipNorm: training.clipNorm,
        onStep: onProgress,
        signal
      })
      const said = fallback
      fallback = undefined
      return {
        ...(await publishAdapter(adapter, sizeOf(data), job, store)),
        fallback: said,
        notes: fresh(data.notes)
      }
    }
  }
}
