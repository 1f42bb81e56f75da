import type { Gpt2Config } from '../../../src/model/index.ts'

/** A GPT-2 small enough for a unit test. */
export const TINY_GPT2: Gpt2Config = {
  family: 'gpt2',
  vocabularySize: 29,
  hiddenSize: 16,
  intermediateSize: 24,
  layers: 2,
  heads: 2,
  keyValueHeads: 2,
  headSize: 8,
  maxPositions: 12,
  normEpsilon: 1e-5,
  tiedHead: true
}
