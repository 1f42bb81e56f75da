import type { Tensor } from '../../adapter/tensor.ts'
import { createSeededRandom } from '../seeded-random.ts'
import type { LlamaConfig } from './config.ts'
import { parameterShapes } from './parameters.ts'

const DEVIATION = 0.02

/**
 * Weights of a new model: normal with deviation 0.02; the projections that write into the residual stream divided by
 * √(2 · layers), so that its variance does not grow with depth (GPT-2's rule); norms 1; biases 0.
 */
export function initialiseLlama(config: LlamaConfig, seed: number): Map<string, Tensor> {
  const random = createSeededRandom(seed)
  const residualDeviation = DEVIATION / Math.sqrt(2 * config.layers)
  const weights = new Map<string, Tensor>()
  for (const [name, shape] of parameterShapes(config)) {
    const data = new Float32Array(shape.reduce((product, extent) => product * extent, 1))
    if (name.endsWith('norm.weight')) data.fill(1)
    else if (!name.endsWith('.bias')) {
      const residual = name.endsWith('.o_proj.weight') || name.endsWith('.down_proj.weight')
      const deviation = residual ? residualDeviation : DEVIATION
      for (let index = 0; index < data.length; index++) data[index] = random.normal() * deviation
    }
    weights.set(name, { shape, data })
  }
  return weights
}
