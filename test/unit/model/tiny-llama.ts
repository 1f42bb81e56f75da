import { join } from 'node:path'
import type { TrainingBatch } from '../../../src/data/packing/training-batch.ts'
import { createSeededRandom, type LlamaConfig, type ModelConfig } from '../../../src/model/index.ts'
import { packageRoot } from '../../../src/package-root.ts'

/** A Llama small enough for a unit test. */
export const TINY_CONFIG: LlamaConfig = {
  vocabularySize: 29,
  hiddenSize: 16,
  intermediateSize: 24,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  headSize: 4,
  maxPositions: 32,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
  attentionBias: false,
  outputBias: false,
  tiedHead: true
}

/** A batch of random tokens, with some targets that do not count. */
export function randomBatch(
  config: ModelConfig,
  batchSize: number,
  sequenceLength: number,
  seed: number
): TrainingBatch {
  const random = createSeededRandom(seed)
  const ids = (): Int32Array =>
    Int32Array.from({ length: batchSize * sequenceLength }, () => random.nextUint32() % config.vocabularySize)
  return {
    batchSize,
    sequenceLength,
    inputIds: ids(),
    targetIds: ids(),
    targetWeights: Float32Array.from({ length: batchSize * sequenceLength }, () =>
      random.uniform() < 0.2 ? 0 : 1
    )
  }
}

/** The folder of the shared stories260k model: in LOAM_SHARED, or in `shared` beside the project. */
export const STORIES_FOLDER = join(
  process.env.LOAM_SHARED ?? join(packageRoot(), '..', 'shared'),
  'data/stories260k'
)
