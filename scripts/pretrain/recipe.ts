import type { LlamaConfig } from '../../src/model/index.ts'
import { END_OF_TEXT_ID } from './tokenizer-files.ts'

/** All that determines a pretraining run: the same recipe on the same processor gives the same model. */
export interface Recipe {
  readonly config: LlamaConfig
  readonly steps: number
  /** Rows a step. */
  readonly batchSize: number
  /** Tokens a row. */
  readonly sequenceLength: number
  readonly seed: number
  /** Highest learning rate; it warms up linearly and falls along a cosine to `finalShare` of it. */
  readonly learningRate: number
  readonly warmupSteps: number
  readonly finalShare: number
  readonly weightDecay: number
  readonly beta1: number
  readonly beta2: number
  readonly clipNorm: number
}

/** What the command line may change of the recipe. */
export interface RecipeChoices {
  readonly vocabularySize: number
  readonly steps: number
  readonly batchSize: number
  readonly sequenceLength: number
  readonly seed: number
  readonly learningRate: number
}

/** The shipped model's shape (1.1 million parameters with 1,536 pieces) and how it is trained. */
export function pretrainingRecipe(choices: RecipeChoices): Recipe {
  const { vocabularySize, sequenceLength, ...rest } = choices
  return {
    ...rest,
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
    warmupSteps: Math.min(200, Math.ceil(choices.steps / 10)),
    finalShare: 0.05,
    weightDecay: 0.1,
    beta1: 0.9,
    beta2: 0.98,
    clipNorm: 1
  }
}
