import { type DecoderNames, decoderFamily, LLAMA_NAMES } from '../shared/decoder/index.ts'
import { GEMMA_MODEL_TYPES, type GemmaConfig, gemmaConfigJson, parseGemmaConfig } from './config.ts'

/** Gemma 2 and 3 normalise what a branch reads and what it writes. */
const FOUR_NORMS: DecoderNames = {
  ...LLAMA_NAMES,
  attentionNorms: { before: 'input_layernorm', after: 'post_attention_layernorm' },
  feedForwardNorms: { before: 'pre_feedforward_layernorm', after: 'post_feedforward_layernorm' }
}

/** Gemma 1 to 3: norms that multiply by 1 + w, scaled embeddings, GELU gates; since Gemma 2 windows and four norms a layer. */
export const gemmaFamily = decoderFamily<GemmaConfig>({
  name: 'gemma',
  modelTypes: GEMMA_MODEL_TYPES,
  parseConfig: parseGemmaConfig,
  configJson: gemmaConfigJson,
  names: ({ modelType }) => (modelType === 'gemma' ? LLAMA_NAMES : FOUR_NORMS)
})
