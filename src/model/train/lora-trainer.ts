import type { LoraAdapter } from '../../adapter/lora-adapter.ts'
import type { Tensor, TensorMap } from '../../adapter/tensor.ts'
import type { TrainingBatch } from '../../data/training-batch.ts'
import { checkWeights } from '../base-model.ts'
import type { Executor } from '../executor/index.ts'
import type { LlamaConfig } from '../llama/index.ts'
import { oneAtATime } from '../one-at-a-time.ts'
import { accumulateStep } from './accumulate.ts'
import { type AdamWSettings, createAdamW } from './adamw.ts'
import { clippingFactor, globalNorm } from './gradient-clipping.ts'
import { initialiseLora, type LoraInitOptions } from './lora-init.ts'
import { learningRateAt, type ScheduleSettings } from './schedule.ts'
import { createTrainStep, loraNames } from './train-step.ts'

/** What a LoRA trainer is compiled for. */
export interface LoraTrainerOptions extends LoraInitOptions {
  readonly config: LlamaConfig
  readonly batchSize: number
  readonly sequenceLength: number
  readonly threads?: number
  readonly executor?: Executor
}

/** Progress after one update. */
export interface LoraProgress {
  /** Updates done, from 1. */
  readonly step: number
  readonly steps: number
  /** Weighted mean cross-entropy before this update, nats. */
  readonly loss: number
}

/** One training run from a fresh LoRA. */
export interface LoraTrainingOptions {
  /** Base weights, frozen; at least every parameter of the model. */
  readonly weights: TensorMap
  readonly seed: number | Uint8Array
  /** Updates to make. */
  readonly steps: number
  /** The batch of step `step` (from 0), or several whose gradients are added up. */
  nextBatch(step: number): TrainingBatch | readonly TrainingBatch[]
  readonly schedule: ScheduleSettings
  readonly optimizer?: AdamWSettings
  /** Limit of the gradients' global norm; 1 where it is absent, Infinity for none. */
  readonly clipNorm?: number
  readonly onStep?: (progress: LoraProgress) => void
  /** Stops the run between two steps. */
  readonly signal?: AbortSignal
}

/** What a run made. */
export interface LoraTrainingResult {
  readonly adapter: LoraAdapter
  /** Loss of every step. */
  readonly losses: readonly number[]
  /** Targets that counted. */
  readonly tokens: number
}

/** Trains LoRA adapters of one rank on one model, again and again, with whatever base weights. */
export interface LoraTrainer {
  /**
   * Equal arguments give equal bits on one machine, with any number of threads. Runs wait for each other.
   *
   * @throws {Error} when the weights do not fit or the loss is no longer finite
   * @throws the signal's reason, when it aborts
   */
  train(options: LoraTrainingOptions): Promise<LoraTrainingResult>
  dispose(): Promise<void>
}

/** Builds and compiles the training step once, for all runs to come. */
export async function createLoraTrainer(options: LoraTrainerOptions): Promise<LoraTrainer> {
  const { config, rank, alpha, targetModules } = options
  const trainStep = await createTrainStep({
    ...options,
    trainable: { kind: 'lora', rank, alpha, targetModules }
  })

  const train = async (run: LoraTrainingOptions): Promise<LoraTrainingResult> => {
    const { weights, steps, clipNorm = 1 } = run
    checkWeights(config, weights, 'the base weights')
    const pairs = initialiseLora(config, options, run.seed)
    const trained = new Map<string, Tensor>()
    for (const { module, inFeatures, outFeatures, A, B } of pairs) {
      const names = loraNames(module)
      trained.set(names.A, { shape: [rank, inFeatures], data: A })
      trained.set(names.B, { shape: [outFeatures, rank], data: B })
    }
    const parameters = new Map([...weights, ...trained].map(([name, { data }]) => [name, data]))
    const optimizer = createAdamW(trained, run.optimizer)
    const losses: number[] = []
    let tokens = 0
    for (let step = 0; step < steps; step++) {
      run.signal?.throwIfAborted()
      const batches = [run.nextBatch(step)].flat()
      const { loss, gradients } = await accumulateStep(trainStep, parameters, batches)
      const norm = globalNorm(gradients)
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
        throw new Error(
          `training diverged at step ${step}: loss ${loss}, gradient norm ${norm}; lower the learning rate`
        )
      }
      const learningRate = learningRateAt(run.schedule, step, steps)
      optimizer.update(gradients, { learningRate, gradientScale: clippingFactor(norm, clipNorm) })
      losses.push(loss)
      for (const { targetWeights } of batches)
        tokens += targetWeights.reduce((n, weight) => n + (weight > 0 ? 1 : 0), 0)
      run.onStep?.({ step: step + 1, steps, loss })
    }
    return { adapter: { pairs }, losses, tokens }
  }
  return { train: oneAtATime(train), dispose: () => trainStep.dispose() }
}
