import type { LoraAdapter, LoraPair } from '../../src/adapter/index.ts'
import type { TrainingBatch } from '../../src/data/index.ts'
import type { Tensor, TensorMap } from '../../src/formats/index.ts'
import {
  type BaseModel,
  clippingFactor,
  createAdamW,
  createTrainStep,
  globalNorm,
  loraNames,
  type TrainStep
} from '../../src/model/index.ts'
import { ALPHA_PER_RANK, type ExperimentSettings } from './settings.ts'

/** One adapter in training. */
export interface TrainingSession {
  /** The current adapter; changed by every step. */
  readonly adapter: LoraAdapter
  /**
   * Runs some AdamW updates at a constant rate.
   *
   * @throws {Error} when the loss or a gradient is no longer finite
   */
  advance(steps: number, nextBatch: (step: number) => TrainingBatch): Promise<void>
}

/** Trains adapters of any rank from any starting point. */
export interface LocalTrainer {
  /**
   * @param weights every weight of the model; frozen
   * @param start where A and B start; not changed. All modules have one rank
   * @param freezeA whether B alone is trained (FFA-LoRA)
   */
  begin(weights: TensorMap, start: LoraAdapter, freezeA?: boolean): TrainingSession
  dispose(): Promise<void>
}

/** Creates a trainer that compiles and caches one step per rank. The number of threads changes no bit. */
export function createLocalTrainer(
  { config }: BaseModel,
  settings: ExperimentSettings,
  threads = 1
): LocalTrainer {
  const { targetModules, batchSize, sequenceLength, learningRate, weightDecay, clipNorm } = settings
  const compiled = new Map<number, Promise<TrainStep>>()
  const stepOf = (rank: number): Promise<TrainStep> => {
    const known = compiled.get(rank)
    if (known !== undefined) return known
    const trainable = { kind: 'lora', rank, alpha: ALPHA_PER_RANK * rank, targetModules } as const
    const made = createTrainStep({ config, trainable, batchSize, sequenceLength, threads })
    compiled.set(rank, made)
    return made
  }
  return {
    begin(weights, start, freezeA = false) {
      const pairs = start.pairs.map((pair) => ({ ...pair, A: pair.A.slice(), B: pair.B.slice() }))
      const factors = factorTensors(pairs)
      const parameters = new Map([...weights, ...factors].map(([name, { data }]) => [name, data]))
      const moving = new Map([...factors].filter(([name]) => !freezeA || !name.includes('.lora_A.')))
      const optimizer = createAdamW(moving, { weightDecay })
      return {
        adapter: { pairs },
        async advance(steps, nextBatch) {
          const trainStep = await stepOf(pairs[0]!.rank)
          for (let step = 0; step < steps; step++) {
            const { loss, gradients } = await trainStep.step(parameters, nextBatch(step))
            const used = new Map([...moving.keys()].map((name) => [name, gradients.get(name)!]))
            const norm = globalNorm(used)
            if (!Number.isFinite(loss) || !Number.isFinite(norm))
              throw new Error(`training diverged at step ${step}: loss ${loss}, gradient norm ${norm}`)
            optimizer.update(used, { learningRate, gradientScale: clippingFactor(norm, clipNorm) })
          }
        }
      }
    },
    async dispose() {
      for (const step of compiled.values()) await (await step).dispose()
    }
  }
}

function factorTensors(pairs: readonly LoraPair[]): Map<string, Tensor> {
  const factors = new Map<string, Tensor>()
  for (const { module, rank, inFeatures, outFeatures, A, B } of pairs) {
    const names = loraNames(module)
    factors.set(names.A, { shape: [rank, inFeatures], data: A })
    factors.set(names.B, { shape: [outFeatures, rank], data: B })
  }
  return factors
}
