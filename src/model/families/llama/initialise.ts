import type { Tensor } from '../../../formats/tensor.ts'
import { initialWeights } from '../shared/initialise.ts'
import type { LlamaConfig } from './config.ts'
import { llamaParameterShapes } from './parameters.ts'

/** Weights of a new model, by GPT-2's rule. */
export function initialiseLlama(config: LlamaConfig, seed: number): Map<string, Tensor> {
  return initialWeights(llamaParameterShapes(config), config.layers, seed, (name) => {
    if (name.endsWith('norm.weight')) return 'norm'
    if (name.endsWith('.bias')) return 'bias'
    return name.endsWith('.o_proj.weight') || name.endsWith('.down_proj.weight') ? 'residual' : 'plain'
  })
}
