import { isDeepStrictEqual } from 'node:util'
import { type LlamaConfig, learningRateAt } from '../../src/model/index.ts'
import { END_OF_TEXT_ID } from '../tokenizer/tokenizer-files.ts'

/** Everything that determines a pretraining run. The same recipe on the same processor gives the same model. */
export interface Recipe {
  readonly config: LlamaConfig
  readonly steps: number
  /** Rows per step. */
  readonly batchSize: number
  /** Tokens per row. */
  readonly sequenceLength: number
  readonly seed: number
  /** Highest learning rate; it warms up linearly, then falls along a cosine to `finalShare` of it. */
  readonly learningRate: number
  /** Length of the cosine in steps: `steps`, or more if a cool-down ends the run earlier. */
  readonly horizonSteps: number
  /** Final steps over which the rate leaves the cosine and falls linearly to `finalShare`; 0 for none. */
  readonly cooldownSteps: number
  readonly warmupSteps: number
  readonly finalShare: number
  readonly weightDecay: number
  readonly beta1: number
  readonly beta2: number
  readonly clipNorm: number
}

/** Settings of the recipe that the command line may change. */
export interface RecipeChoices {
  readonly vocabularySize: number
  readonly steps: number
  readonly batchSize: number
  readonly sequenceLength: number
  readonly seed: number
  readonly learningRate: number
  /** `steps` if absent. */
  readonly horizonSteps?: number | undefined
  /** 0 if absent. */
  readonly cooldownSteps?: number | undefined
}

/** The shipped model's shape (1.1 million parameters with 1,536 pieces) and its training settings. */
export function pretrainingRecipe(choices: RecipeChoices): Recipe {
  const { vocabularySize, sequenceLength, steps, ...rest } = choices
  const horizonSteps = choices.horizonSteps ?? steps
  return {
    ...rest,
    steps,
    horizonSteps,
    cooldownSteps: choices.cooldownSteps ?? 0,
    sequenceLength,
    config: {
      vocabularySize,
      hiddenSize: 128,
      intermediateSize: 344,
      layers: 5,
      heads: 4,
      keyValueHeads: 2,
      headSize: 32,
      maxPositions: sequenceLength,
      normEpsilon: 1e-5,
      ropeTheta: 10_000,
      attentionBias: false,
      outputBias: false,
      tiedHead: true,
      bosId: END_OF_TEXT_ID,
      eosId: END_OF_TEXT_ID
    },
    warmupSteps: Math.min(200, Math.ceil(horizonSteps / 10)),
    finalShare: 0.05,
    weightDecay: 0.1,
    beta1: 0.9,
    beta2: 0.98,
    clipNorm: 1
  }
}

/** Learning rate of step `step`, counted from 0. */
export function recipeLearningRate(recipe: Recipe, step: number): number {
  const { steps, horizonSteps, cooldownSteps, finalShare, learningRate } = recipe
  const cosine = learningRateAt({ kind: 'cosine', ...recipe }, step, horizonSteps)
  const left = steps - step
  if (left >= cooldownSteps) return cosine
  const floor = Math.min(cosine, learningRate * finalShare)
  return floor + ((cosine - floor) * left) / cooldownSteps
}

/**
 * Whether the first `step` steps of a run with `former` equal those of a run with `next`: the recipes differ only in
 * the number of remaining steps and their rates. A run that proves too long can then be ended early and still have one
 * recipe.
 */
export function continues(former: Recipe, next: Recipe, step: number): boolean {
  const lengths = { steps: 0, horizonSteps: 0, cooldownSteps: 0 }
  if (!isDeepStrictEqual({ ...former, ...lengths }, { ...next, ...lengths }) || step > next.steps)
    return false
  for (let done = 0; done < step; done++) {
    if (recipeLearningRate(former, done) !== recipeLearningRate(next, done)) return false
  }
  return true
}
