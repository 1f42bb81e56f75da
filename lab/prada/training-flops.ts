import { linearModules, type ModelConfig } from '../../src/model/index.ts'

/**
 * Two operations a weight and token forward, and two backward to the activations; the base's weights are frozen. Factors
 * take six. Attention's own products are left out: at these lengths they are a few per cent.
 */
export function trainingFlopsPerToken(config: ModelConfig, rank: number): number {
  const modules = [...linearModules(config).values()]
  const base = modules.reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0)
  const factors = modules.reduce(
    (sum, { inFeatures, outFeatures }) => sum + rank * (inFeatures + outFeatures),
    0
  )
  const head = config.vocabularySize * config.hiddenSize
  return 4 * (base + head) + 6 * factors
}

/** Two operations a weight, of one token's pass. */
export function passFlops(config: ModelConfig): number {
  const modules = [...linearModules(config).values()]
  const base = modules.reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0)
  return 2 * (base + config.vocabularySize * config.hiddenSize)
}
