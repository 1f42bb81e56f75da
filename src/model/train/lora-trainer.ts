import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import type { TrainingBatch } from '../../data/packing/training-batch.ts'
import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import type { FeedValue } from '../executor/index.ts'
import { oneAtATime } from '../executor/one-at-a-time.ts'
import { initialiseLora } from '../lora/lora-init.ts'
import { loraNames } from '../lora/lora-nodes.ts'
import type { LoraSettings } from '../lora/lora-settings.ts'
import { baseFeeds, type HeldWeights } from '../weights/held-weights.ts'
import { accumulateStep } from './accumulate.ts'
import { type AdamWSettings, createAdamW } from './adamw.ts'
import { clippingFactor, globalNorm } from './gradient-clipping.ts'
import { learningRateAt, type ScheduleSettings } from './schedule.ts'
import { createTrainStep, type TrainStepOptions } from './train-step.ts'
import { restoreTensors, stateTensors, type TrainerState } from './trainer-state.ts'

/** Options of a LoRA trainer. */
export interface LoraTrainerOptions extends LoraSettings, Omit<TrainStepOptions, 'trainable'> {}

/** Progress after one update. */
export interface LoraProgress {
  /** Updates done, from 1. */
  readonly step: number
  readonly steps: number
  /** Weighted mean cross-entropy before this update, nats. */
  readonly loss: number
}

/** The start of a run: a fresh LoRA on base weights. */
export interface LoraRunOptions {
  /** Base weights, frozen: every parameter of the model, or the result of `loadHeldWeights`. */
  readonly weights: TensorMap | HeldWeights
  readonly seed: number | Uint8Array
  readonly optimizer?: AdamWSettings
  /** Limit of the gradients' global norm; 1 if absent, Infinity for none. */
  readonly clipNorm?: number
}

/** The result of one update. */
export interface LoraStepResult {
  /** Weighted mean cross-entropy before the update, nats. */
  readonly loss: number
  /** Global norm of the gradients before clipping. */
  readonly gradientNorm: number
  /** Number of targets that counted. */
  readonly tokens: number
}

/** A run step by step, for callers that pause, evaluate, save and continue. Runs of one trainer must not overlap. */
export interface LoraRun {
  /** The current adapter: live memory that the next step changes. */
  readonly adapter: LoraAdapter
  /** Updates done. */
  readonly stepsDone: number
  /**
   * One update from one batch, or from several with accumulated gradients.
   *
   * @throws {Error} when the loss is no longer finite
   */
  step(batches: TrainingBatch | readonly TrainingBatch[], learningRate: number): Promise<LoraStepResult>
  /** The state without a copy: write it out before the next step. */
  state(): TrainerState
  /**
   * Continues from a state.
   *
   * @throws {Error} when a tensor is missing or has another shape
   */
  restore(state: TrainerState): void
}

/** One training run from a fresh LoRA. */
export interface LoraTrainingOptions extends LoraRunOptions {
  /** Number of updates. */
  readonly steps: number
  /** The batch of step `step` (from 0), or several with accumulated gradients. */
  nextBatch(step: number): TrainingBatch | readonly TrainingBatch[]
  readonly schedule: ScheduleSettings
  readonly onStep?: (progress: LoraProgress) => void
  /** Stops the run between two steps. */
  readonly signal?: AbortSignal
}

/** The result of a run. */
export interface LoraTrainingResult {
  readonly adapter: LoraAdapter
  /** Loss of every step. */
  readonly losses: readonly number[]
  /** Number of targets that counted. */
  readonly tokens: number
}

/** Trains LoRA adapters of one shape on one model, repeatedly, with any base weights. */
export interface LoraTrainer {
  /**
   * Starts a run driven by the caller.
   *
   * @throws {Error} when the weights do not fit
   */
  begin(options: LoraRunOptions): LoraRun
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
  const { config, dropout = 0, baseFormat = 'f32' } = options
  const trainStep = await createTrainStep({ ...options, trainable: { ...options, kind: 'lora' } })

  const begin = (run: LoraRunOptions): LoraRun => {
    const { weights, clipNorm = 1 } = run
    const base = baseFeeds(config, weights, baseFormat)
    const pairs = initialiseLora(config, options, run.seed)
    const trained = new Map<string, Tensor>()
    for (const { module, rank, inFeatures, outFeatures, A, B } of pairs) {
      const names = loraNames(module)
      trained.set(names.A, { shape: [rank, inFeatures], data: A })
      trained.set(names.B, { shape: [outFeatures, rank], data: B })
    }
    const factors = [...trained].map(([name, { data }]): [string, FeedValue] => [name, data])
    const parameters = new Map<string, FeedValue>([...base, ...factors])
    const optimizer = createAdamW(trained, run.optimizer)
    return {
      adapter: { pairs },
      get stepsDone() {
        return optimizer.step
      },
      step: async (batches, learningRate) => {
        const list = [batches].flat()
        const { loss, gradients } = await accumulateStep(
          trainStep,
          parameters,
          list,
          dropout > 0 ? { seed: run.seed, step: optimizer.step } : undefined
        )
        const gradientNorm = globalNorm(gradients)
        if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
          throw new Error(
            `training diverged at step ${optimizer.step + 1}: loss ${loss}, gradient norm ${gradientNorm}; lower the learning rate`
          )
        }
        optimizer.update(gradients, { learningRate, gradientScale: clippingFactor(gradientNorm, clipNorm) })
        return { loss, gradientNorm, tokens: list.reduce((sum, batch) => sum + countTargets(batch), 0) }
      },
      state: () => ({ step: optimizer.step, tensors: stateTensors(trained, optimizer) }),
      restore: (state) => {
        restoreTensors(stateTensors(trained, optimizer), state.tensors)
        optimizer.step = state.step
      }
    }
  }

  const train = async (run: LoraTrainingOptions): Promise<LoraTrainingResult> => {
    const { steps } = run
    const session = begin(run)
    const losses: number[] = []
    let tokens = 0
    for (let step = 0; step < steps; step++) {
      run.signal?.throwIfAborted()
      const done = await session.step(run.nextBatch(step), learningRateAt(run.schedule, step, steps))
      losses.push(done.loss)
      tokens += done.tokens
      run.onStep?.({ step: step + 1, steps, loss: done.loss })
    }
    return { adapter: session.adapter, losses, tokens }
  }
  return { begin, train: oneAtATime(train), dispose: () => trainStep.dispose() }
}

/** Targets that count. */
function countTargets({ targetWeights }: TrainingBatch): number {
  return targetWeights.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0)
}
