import { type DecoderNames, decoderFamily, LLAMA_NAMES } from '../shared/decoder/index.ts'
import { GEMMA_MODEL_TYPES, type GemmaConfig, gemmaConfigJson, parseGemmaConfig } from './config.ts'

/** Gemma 2 and 3 normalise both the input and the output of a branch. */
const FOUR_NORMS: DecoderNames = {
  ...LLAMA_NAMES,
  attentionNorms: { before: 'input_layernorm', after: 'post_attention_layernorm' },
  feedForwardNorms: { before: 'pre_feedforward_layernorm', after: 'post_feedforward_layernorm' }
}

/**
 * Gemma 1 to 3: norms that multiply by 1 + w, scaled embeddings, GELU gates. Gemma 2 and 3 also have windows and four
 * norms per layer.
 */
export const gemmaFamily = decoderFamily<GemmaConfig>({
  name: 'gemma',
  modelTypes: GEMMA_MODEL_TYPES,
  parseConfig: parseGemmaConfig,
  configJson: gemmaConfigJson,
  names: ({ modelType }) => (modelType === 'gemma' ? LLAMA_NAMES : FOUR_NORMS)
})
