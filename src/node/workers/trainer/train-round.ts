import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  decodeAdapterFile,
  encodeAdapterFile,
  type LoraAdapter,
  sendAdapter
} from '../../../adapter/index.ts'
import {
  type BaseModelDescription,
  type CorpusReader,
  chooseExecutor,
  createLoraTrainer,
  type LoraTrainer,
  loadTrainingData
} from '../../../model/index.ts'
import { writeFileAtomic } from '../../storage/atomic-file.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import { messageOf } from '../../storage/peer-error.ts'
import type { HeldBase } from './held-base.ts'
import type { TrainedShard, TrainingJob, TrainingProgress, TrainingResult } from './training-job.ts'

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

/** A session without a compiled step yet. */
export function createTrainingSession(base: HeldBase, corpora: CorpusReader): TrainingSession {
  let compiled: { key: string; trainer: LoraTrainer } | undefined
  let fallback: string | undefined
  // A note on the data is told in the first round, and again when it changes.
  const told = new Set<string>()

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
      const { batchSize, sequenceLength } = training
      const data = await loadTrainingData(
        {
          ...job.data,
          ...{ data: job.documents, folder: job.baseFolder, tokenizer: description.tokenizer },
          ...{ batchSize, sequenceLength, seed: job.documentSeed, keptBack: job.keptBack }
        },
        corpora
      )
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
      const notes = data.notes.filter((note) => !told.has(note))
      for (const note of notes) told.add(note)
      return { ...(await publish(adapter, data.examples, job, store)), fallback: said, notes }
    }
  }
}

/** Stores an adapter's shards, and writes its files to the home. */
async function publish(
  adapter: LoraAdapter,
  samples: number,
  job: TrainingJob,
  store: BlockStore
): Promise<TrainingResult> {
  const residual = await readResidual(job.residualFile)
  const sent = sendAdapter(adapter, job.dtype, residual.adapter, job.rankStabilised)
  const shards: TrainedShard[] = []
  let totalBytes = 0
  for (const { blocks, byteLength, dtype: _dtype, ...description } of sent.shards) {
    for (const { digest, bytes } of blocks) await store.putVerified(digest, bytes)
    shards.push({ ...description, blocks: blocks.map(({ digest }) => digest) })
    totalBytes += byteLength
  }
  await store.flush(shards.flatMap(({ blocks }) => blocks))
  await mkdir(dirname(job.localPath), { recursive: true })
  if (sent.residual.pairs.length > 0) {
    await mkdir(dirname(job.residualPath), { recursive: true })
    await writeFileAtomic(job.residualPath, encodeAdapterFile({ adapter: sent.residual, samples }))
  }
  await writeFileAtomic(job.localPath, encodeAdapterFile({ adapter: sent.adapter, samples }))
  return { samples, shards, totalBytes, residualFault: residual.fault }
}

/** The residual of the last stacked shards. A damaged file only costs one round's rounding, so it is not an error. */
async function readResidual(path: string | undefined): Promise<{ adapter?: LoraAdapter; fault?: string }> {
  if (path === undefined) return {}
  try {
    return { adapter: decodeAdapterFile(await readFile(path)).adapter }
  } catch (error) {
    return { fault: messageOf(error) }
  }
}
