/**
 * Training: a compiled step, AdamW, schedules, and trainers of LoRA adapters and of whole models.
 *
 * @example
 * ```ts
 * const lora = { rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] }
 * const trainer = await createLoraTrainer({ config, ...lora, batchSize: 8, sequenceLength: 128 })
 * const schedule = { kind: 'cosine', learningRate: 3e-3, warmupSteps: 10 } as const
 * const { adapter } = await trainer.train({ weights, seed: 1, steps: 100, nextBatch, schedule })
 * await trainer.dispose()
 * ```
 */

export { type AdamW, type AdamWSettings, type AdamWUpdate, createAdamW } from './adamw.ts'
export { CheckpointError } from './checkpoint.ts'
export { corpusNotes, type TokenizingCounts } from './corpus-notes.ts'
export {
  type Corpus,
  type CorpusModel,
  type CorpusReader,
  type CorpusSettings,
  checkCorpus,
  createCorpusReader,
  type ExampleTokenizer,
  exampleTokenizer,
  readCorpusRecords
} from './corpus-reader.ts'
export { clippingFactor, globalNorm } from './gradient-clipping.ts'
export { keptBackOf } from './kept-back.ts'
export {
  type LocalTrainingOptions,
  type LocalTrainingResult,
  type TrainingStep,
  trainLocally
} from './local-training.ts'
export {
  createLoraTrainer,
  type LoraProgress,
  type LoraRun,
  type LoraRunOptions,
  type LoraStepResult,
  type LoraTrainer,
  type LoraTrainerOptions,
  type LoraTrainingOptions,
  type LoraTrainingResult
} from './lora-trainer.ts'
export { learningRateAt, type ScheduleSettings } from './schedule.ts'
export {
  createTrainStep,
  type StepResult,
  type Trainable,
  type TrainStep,
  type TrainStepOptions
} from './train-step.ts'
export type { TrainerState } from './trainer-state.ts'
export { loadTrainingData, type TrainingData, type TrainingDataOptions } from './training-data.ts'
