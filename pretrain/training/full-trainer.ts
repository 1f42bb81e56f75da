import type { TrainingBatch } from '../../src/data/packing/training-batch.ts'
import type { Tensor, TensorMap } from '../../src/formats/tensor.ts'
import type { Executor } from '../../src/model/executor/index.ts'
import type { ModelConfig } from '../../src/model/families/index.ts'
import { accumulateStep } from '../../src/model/train/accumulate.ts'
import { type AdamWSettings, createAdamW } from '../../src/model/train/adamw.ts'
import { clippingFactor, globalNorm } from '../../src/model/train/gradient-clipping.ts'
import { createTrainStep } from '../../src/model/train/train-step.ts'
import { restoreTensors, stateTensors, type TrainerState } from '../../src/model/train/trainer-state.ts'
import { checkWeights } from '../../src/model/weights/check-weights.ts'

/** Options for training a whole model. */
export interface FullTrainerOptions {
  readonly config: ModelConfig
  /** Initial weights; copied. */
  readonly weights: TensorMap
  readonly batchSize: number
  readonly sequenceLength: number
  readonly threads?: number
  readonly executor?: Executor
  readonly optimizer?: AdamWSettings
  /** Limit of the gradients' global norm; 1 if absent, Infinity for none. */
  readonly clipNorm?: number
}

/** One step of full training. */
export interface FullStepResult {
  /** Weighted mean cross-entropy before the update, nats. */
  readonly loss: number
  /** Global norm of the gradients before clipping. */
  readonly gradientNorm: number
}

/** Trains every weight of a model. */
export interface FullTrainer {
  /** The current weights, in memory that the next step changes. */
  readonly weights: ReadonlyMap<string, Tensor>
  /** Number of completed updates. */
  readonly stepsDone: number
  /** Applies one update from one batch, or from several whose gradients are summed. */
  step(batches: TrainingBatch | readonly TrainingBatch[], learningRate: number): Promise<FullStepResult>
  /** The state, not copied: save it before the next step. */
  state(): TrainerState
  /**
   * Restores a state.
   *
   * @throws {Error} if a tensor is missing or has another shape
   */
  restore(state: TrainerState): void
  dispose(): Promise<void>
}

/**
 * Creates a trainer of all weights for pretraining.
 *
 * @throws {UnsupportedModelError} if the weights do not match the config
 */
export async function createFullTrainer(options: FullTrainerOptions): Promise<FullTrainer> {
  const { config, clipNorm = 1 } = options
  checkWeights(config, options.weights, 'the weights')
  const trainStep = await createTrainStep({ ...options, trainable: { kind: 'all' } })
  const weights = new Map<string, Tensor>()
  for (const [name, shape] of trainStep.trainableShapes) {
    weights.set(name, { shape, data: options.weights.get(name)!.data.slice() })
  }
  const parameters = new Map([...weights].map(([name, { data }]) => [name, data]))
  const optimizer = createAdamW(weights, options.optimizer)

  return {
    weights,
    get stepsDone() {
      return optimizer.step
    },
    step: async (batches, learningRate) => {
      const list = 'inputIds' in batches ? [batches] : batches
      const { loss, gradients } = await accumulateStep(trainStep, parameters, list)
      const gradientNorm = globalNorm(gradients)
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        throw new Error(
          `training diverged at step ${optimizer.step}: loss ${loss}, gradient norm ${gradientNorm}`
        )
      }
      optimizer.update(gradients, { learningRate, gradientScale: clippingFactor(gradientNorm, clipNorm) })
      return { loss, gradientNorm }
    },
    state: () => ({ step: optimizer.step, tensors: stateTensors(weights, optimizer) }),
    restore: (state) => {
      restoreTensors(stateTensors(weights, optimizer), state.tensors)
      optimizer.step = state.step
    },
    dispose: () => trainStep.dispose()
  }
}
