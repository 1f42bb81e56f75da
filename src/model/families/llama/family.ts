import { type ModelFamily, VALUE_HEAD } from '../shared/model-family.ts'
import { LLAMA_MODEL_TYPES, type LlamaConfig, llamaConfigJson, parseLlamaConfig } from './config.ts'
import { llamaHidden } from './forward.ts'
import { initialiseLlama } from './initialise.ts'
import { EMBEDDING, llamaLinearModules, llamaParameterShapes, OUTPUT_HEAD } from './parameters.ts'

/** Llama and its kin: RMSNorm, rotary positions, grouped queries, SwiGLU. */
export const llamaFamily: ModelFamily<LlamaConfig> = {
  name: 'llama',
  modelTypes: LLAMA_MODEL_TYPES,
  fanInFanOut: false,
  parseConfig: parseLlamaConfig,
  configJson: llamaConfigJson,
  parameterShapes: llamaParameterShapes,
  prefix: 'model.',
  landmark: 'layers.0.input_layernorm.weight',
  idleTensors: [
    {
      reason: 'computed from config.json, as transformers does since it stopped saving them',
      isIdle: (name) => /(?:^|\.)rotary_emb\.(?:inv_freq|cos_cached|sin_cached)$/.test(name)
    },
    VALUE_HEAD
  ],
  linearModules: llamaLinearModules,
  embedding: EMBEDDING,
  headParameter: ({ tiedHead }) => (tiedHead ? EMBEDDING : OUTPUT_HEAD),
  hidden: llamaHidden,
  initialise: initialiseLlama
}
