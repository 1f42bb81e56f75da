import type { Tensor } from '../../../formats/tensor.ts'
import { decoderFamily, LLAMA_NAMES } from '../shared/decoder/index.ts'
import { LLAMA_MODEL_TYPES, type LlamaConfig, llamaConfigJson, parseLlamaConfig } from './config.ts'

/** Llama and related models: RMSNorm, rotary positions, grouped queries, SwiGLU. */
export const llamaFamily = decoderFamily<LlamaConfig>({
  name: 'llama',
  modelTypes: LLAMA_MODEL_TYPES,
  parseConfig: parseLlamaConfig,
  configJson: llamaConfigJson,
  names: () => LLAMA_NAMES
})

/** Initial weights by GPT-2's scheme. */
export function initialiseLlama(config: LlamaConfig, seed: number): Map<string, Tensor> {
  return llamaFamily.initialise(config, seed)
}
