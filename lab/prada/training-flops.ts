import { linearModules, type ModelConfig } from '../../src/model/index.ts'

/**
 * Two operations per weight and token in the forward pass, and two in the backward pass to the activations; the base's
 * weights are frozen. Factors take six. The attention's own products are ignored: at these lengths they are a few per
 * cent.
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

/** Operations per token in a forward pass, two per weight. */
export function passFlops(config: ModelConfig): number {
  const modules = [...linearModules(config).values()]
  const base = modules.reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0)
  return 2 * (base + config.vocabularySize * config.hiddenSize)
}
