import type { ModelFamily } from '../shared/model-family.ts'
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
  parameterName: (tensorName) => tensorName,
  linearModules: llamaLinearModules,
  embedding: EMBEDDING,
  headParameter: ({ tiedHead }) => (tiedHead ? EMBEDDING : OUTPUT_HEAD),
  hidden: llamaHidden,
  initialise: initialiseLlama
}
