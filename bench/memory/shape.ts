import { parseModelConfig } from '../../src/model/index.ts'

/** A model of 110 million parameters. */
export const SHAPE_110M = parseModelConfig({
  model_type: 'llama',
  vocab_size: 32_000,
  hidden_size: 768,
  intermediate_size: 2048,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  max_position_embeddings: 1024,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true
})
