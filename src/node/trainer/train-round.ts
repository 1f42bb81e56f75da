import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  decodeAdapterFile,
  decodeSafetensors,
  encodeAdapterFile,
  type LoraAdapter,
  sendAdapter,
  type Tensor
} from '../../adapter/index.ts'
import { createBatchStream, readDocuments } from '../../data/index.ts'
import {
  type BaseModel,
  chooseExecutor,
  createLoraTrainer,
  type LoraTrainer,
  loadBaseModel
} from '../../model/index.ts'
import { messageOf } from '../errors.ts'
import { writeFileAtomic } from '../store/atomic-file.ts'
import type { BlockStore } from '../store/block-store.ts'
import type { TrainedShard, TrainingJob, TrainingProgress, TrainingResult } from './training-job.ts'

/** What is kept from one round to the next: the base model in memory and the compiled step. */
export interface TrainingSession {
  /** Trains one round and puts its shards into the store; `local.safetensors` comes last. */
  train(
    job: TrainingJob,
    store: BlockStore,
    onProgress: (progress: TrainingProgress) => void,
    signal: AbortSignal
  ): Promise<TrainingResult>
}

/** A session without anything loaded yet. */
export function createTrainingSession(): TrainingSession {
  let base: BaseModel | undefined
  let compiled: { key: string; trainer: LoraTrainer } | undefined

  const trainerFor = async (model: BaseModel, job: TrainingJob): Promise<LoraTrainer> => {
    const { batchSize, sequenceLength, threads, executor, device } = job.training
    const { baseFolder, modules, rank, alpha, rankStabilised } = job
    const settings = { batchSize, sequenceLength, threads, executor, device }
    const key = JSON.stringify([baseFolder, modules, rank, alpha, rankStabilised, settings])
    if (compiled?.key !== key) {
      const before = compiled
      compiled = undefined
      await before?.trainer.dispose()
      const lora = { rank, alpha, targetModules: modules, rsLora: rankStabilised }
      const chosen = await chooseExecutor({ executor, device, threads })
      const trainer = await createLoraTrainer({
        config: model.config,
        ...lora,
        batchSize,
        sequenceLength,
        executor: chosen
      })
      compiled = { key, trainer }
    }
    return compiled.trainer
  }

  return {
    async train(job, store, onProgress, signal) {
      if (base?.folder !== job.baseFolder) base = loadBaseModel(job.baseFolder)
      const { training } = job
      const documents = await readDocuments(job.documents)
      const trainer = await trainerFor(base, job)
      const stream = createBatchStream({
        documents,
        tokenizer: base.tokenizer,
        batchSize: training.batchSize,
        sequenceLength: training.sequenceLength,
        seed: job.documentSeed
      })
      const { adapter } = await trainer.train({
        weights: await roundWeights(base, job.modelFile),
        seed: job.seed,
        steps: training.steps,
        nextBatch: (step) => stream.nextBatch(job.firstStep + step),
        schedule: { kind: 'cosine', learningRate: training.learningRate, warmupSteps: training.warmupSteps },
        optimizer: { weightDecay: training.weightDecay },
        clipNorm: training.clipNorm,
        onStep: onProgress,
        signal
      })
      const owed = await readOwed(job.owedFile)
      const sent = sendAdapter(adapter, job.dtype, owed.adapter, job.rankStabilised)
      const shards: TrainedShard[] = []
      let totalBytes = 0
      for (const { blocks, byteLength, dtype: _dtype, ...description } of sent.shards) {
        for (const { digest, bytes } of blocks) await store.putVerified(digest, bytes)
        shards.push({ ...description, blocks: blocks.map(({ digest }) => digest) })
        totalBytes += byteLength
      }
      await store.flush(shards.flatMap(({ blocks }) => blocks))
      await mkdir(dirname(job.localPath), { recursive: true })
      const samples = documents.length
      if (sent.owed.pairs.length > 0) {
        await mkdir(dirname(job.owedPath), { recursive: true })
        await writeFileAtomic(job.owedPath, encodeAdapterFile({ adapter: sent.owed, samples }))
      }
      await writeFileAtomic(job.localPath, encodeAdapterFile({ adapter: sent.adapter, samples }))
      return { samples, shards, totalBytes, owedFault: owed.fault }
    }
  }
}

/** What the last stacked shards left out. A damaged file costs one round's rounding, and no more: it is no reason to stop. */
async function readOwed(path: string | undefined): Promise<{ adapter?: LoraAdapter; fault?: string }> {
  if (path === undefined) return {}
  try {
    return { adapter: decodeAdapterFile(await readFile(path)).adapter }
  } catch (error) {
    return { fault: messageOf(error) }
  }
}

/** The base's weights with the merged modules in their places. */
async function roundWeights(base: BaseModel, modelFile: string | undefined): Promise<Map<string, Tensor>> {
  if (modelFile === undefined) return base.weights
  return new Map([...base.weights, ...decodeSafetensors(await readFile(modelFile)).tensors])
}
