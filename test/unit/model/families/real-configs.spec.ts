import assert from 'node:assert/strict'
import type { ModelConfig } from '../../../../src/model/index.ts'
import { parseModelConfig } from '../../../../src/model/index.ts'

const LLAMA_SIZES = {
  architectures: ['LlamaForCausalLM'],
  hidden_act: 'silu',
  hidden_size: 2048,
  initializer_range: 0.02,
  intermediate_size: 8192,
  model_type: 'llama',
  num_attention_heads: 32,
  num_hidden_layers: 16,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  use_cache: true,
  vocab_size: 128256
}
const QWEN_SIZES = {
  ...LLAMA_SIZES,
  architectures: ['Qwen2ForCausalLM'],
  model_type: 'qwen2',
  attention_dropout: 0.0,
  max_position_embeddings: 32768,
  num_hidden_layers: 24
}
const LLAMA3_SCALING = {
  factor: 32.0,
  high_freq_factor: 4.0,
  low_freq_factor: 1.0,
  original_max_position_embeddings: 8192,
  rope_type: 'llama3'
}

/** The keys that the makers' folders have, with what has to come out of them. */
const REAL: readonly [name: string, json: object, expected: Partial<Record<string, unknown>>][] = [
  [
    'Llama 1',
    {
      ...LLAMA_SIZES,
      num_key_value_heads: undefined,
      bos_token_id: 1,
      eos_token_id: 2,
      max_sequence_length: 2048,
      pad_token_id: -1,
      torch_dtype: 'float16',
      transformers_version: '4.28.0.dev0'
    },
    { maxPositions: 2048, keyValueHeads: 32, ropeTheta: 10_000 }
  ],
  [
    'Llama 2',
    {
      ...LLAMA_SIZES,
      _name_or_path: 'meta-llama/Llama-2-7b-hf',
      bos_token_id: 1,
      eos_token_id: 2,
      max_position_embeddings: 4096,
      pretraining_tp: 1,
      rope_scaling: null,
      tie_word_embeddings: false
    },
    { maxPositions: 4096, tiedHead: false }
  ],
  [
    'Llama 3.2',
    {
      ...LLAMA_SIZES,
      attention_bias: false,
      attention_dropout: 0.0,
      bos_token_id: 128000,
      eos_token_id: [128001, 128008, 128009],
      head_dim: 64,
      max_position_embeddings: 131072,
      mlp_bias: false,
      pretraining_tp: 1,
      rope_scaling: LLAMA3_SCALING,
      rope_theta: 500000.0,
      tie_word_embeddings: true
    },
    { ropeTheta: 500_000, headSize: 64, tiedHead: true }
  ],
  [
    'Llama saved by transformers 5',
    {
      ...LLAMA_SIZES,
      dtype: 'bfloat16',
      max_position_embeddings: 131072,
      rope_parameters: { ...LLAMA3_SCALING, rope_theta: 500000.0 },
      output_hidden_states: false,
      return_dict: true,
      chunk_size_feed_forward: 0,
      is_encoder_decoder: false,
      id2label: { 0: 'LABEL_0', 1: 'LABEL_1' },
      label2id: { LABEL_0: 0, LABEL_1: 1 },
      problem_type: null,
      _name_or_path: '',
      output_attentions: false,
      layer_types: null
    },
    { ropeTheta: 500_000 }
  ],
  [
    'SmolLM2',
    {
      ...LLAMA_SIZES,
      is_llama_config: true,
      rope_interleaved: false,
      rope_theta: 130000,
      max_position_embeddings: 8192,
      'transformers.js_config': { kv_cache_dtype: { fp16: 'float16' } }
    },
    { ropeTheta: 130_000 }
  ],
  [
    'TinyLlama, fine-tuned with a tool that leaves notes',
    {
      ...LLAMA_SIZES,
      max_position_embeddings: 2048,
      unsloth_version: '2024.9',
      unsloth_fixed: true,
      _attn_implementation_autoset: true,
      model_max_length: 2048
    },
    { maxPositions: 2048 }
  ],
  [
    'Mistral 0.1',
    {
      ...LLAMA_SIZES,
      architectures: ['MistralForCausalLM'],
      model_type: 'mistral',
      max_position_embeddings: 32768,
      rope_theta: 10000.0,
      sliding_window: 4096,
      tie_word_embeddings: false
    },
    { windows: Array.from({ length: 16 }, () => 4096) }
  ],
  [
    'Mistral 0.3',
    {
      ...LLAMA_SIZES,
      architectures: ['MistralForCausalLM'],
      model_type: 'mistral',
      head_dim: 128,
      max_position_embeddings: 32768,
      rope_theta: 1000000.0,
      sliding_window: null
    },
    { windows: undefined, ropeTheta: 1_000_000, headSize: 128 }
  ],
  [
    'Qwen2.5',
    {
      ...QWEN_SIZES,
      max_window_layers: 21,
      rope_theta: 1000000.0,
      sliding_window: 32768,
      tie_word_embeddings: true,
      use_mrope: false,
      use_sliding_window: false
    },
    { windows: undefined, attentionBias: true, outputBias: false }
  ],
  [
    'Qwen3',
    {
      ...QWEN_SIZES,
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      attention_bias: false,
      head_dim: 128,
      max_position_embeddings: 40960,
      max_window_layers: 28,
      rope_scaling: null,
      rope_theta: 1000000,
      sliding_window: null,
      use_sliding_window: false,
      layer_types: Array.from({ length: 24 }, () => 'full_attention')
    },
    { windows: undefined, queryKeyNorm: true, headSize: 128 }
  ],
  [
    'GPT-2',
    {
      activation_function: 'gelu_new',
      architectures: ['GPT2LMHeadModel'],
      attn_pdrop: 0.1,
      bos_token_id: 50256,
      embd_pdrop: 0.1,
      eos_token_id: 50256,
      initializer_range: 0.02,
      layer_norm_epsilon: 1e-5,
      model_type: 'gpt2',
      n_ctx: 1024,
      n_embd: 768,
      n_head: 12,
      n_layer: 12,
      n_positions: 1024,
      resid_pdrop: 0.1,
      summary_activation: null,
      summary_first_dropout: 0.1,
      summary_proj_to_labels: true,
      summary_type: 'cls_index',
      summary_use_proj: true,
      task_specific_params: { 'text-generation': { do_sample: true, max_length: 50 } },
      vocab_size: 50257,
      n_special: 0,
      predict_special_tokens: true,
      reorder_and_upcast_attn: false,
      scale_attn_by_inverse_layer_idx: false,
      scale_attn_weights: true
    },
    { maxPositions: 1024, tiedHead: true }
  ]
]

describe("the makers' config.json", () => {
  for (const [name, json, expected] of REAL) {
    it(`of ${name} is read`, () => {
      const config: ModelConfig = parseModelConfig(JSON.parse(JSON.stringify(json)))
      for (const [key, value] of Object.entries(expected))
        assert.deepEqual(config[key as keyof ModelConfig], value, key)
    })
  }
})
