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

/** The keys in published folders, with the expected result. */
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
    'Gemma 3 270M',
    {
      _sliding_window_pattern: 6,
      architectures: ['Gemma3ForCausalLM'],
      attention_bias: false,
      attention_dropout: 0.0,
      attn_logit_softcapping: null,
      bos_token_id: 2,
      eos_token_id: 1,
      final_logit_softcapping: null,
      head_dim: 256,
      hidden_activation: 'gelu_pytorch_tanh',
      hidden_size: 640,
      initializer_range: 0.02,
      intermediate_size: 2048,
      layer_types: Array.from({ length: 18 }, (_, index) =>
        index % 6 === 5 ? 'full_attention' : 'sliding_attention'
      ),
      max_position_embeddings: 32768,
      model_type: 'gemma3_text',
      num_attention_heads: 4,
      num_hidden_layers: 18,
      num_key_value_heads: 1,
      pad_token_id: 0,
      query_pre_attn_scalar: 256,
      rms_norm_eps: 1e-6,
      rope_local_base_freq: 10000.0,
      rope_scaling: null,
      rope_theta: 1000000.0,
      sliding_window: 512,
      torch_dtype: 'bfloat16',
      transformers_version: '4.55.0.dev0',
      use_bidirectional_attention: false,
      use_cache: true,
      vocab_size: 262144
    },
    { tiedHead: true, headSize: 256, ropeTheta: 1_000_000, attentionScale: undefined }
  ],
  [
    'Gemma 2 2B',
    {
      architectures: ['Gemma2ForCausalLM'],
      attention_bias: false,
      attn_logit_softcapping: 50.0,
      cache_implementation: 'hybrid',
      final_logit_softcapping: 30.0,
      head_dim: 256,
      hidden_act: 'gelu_pytorch_tanh',
      hidden_activation: 'gelu_pytorch_tanh',
      hidden_size: 2304,
      intermediate_size: 9216,
      max_position_embeddings: 8192,
      model_type: 'gemma2',
      num_attention_heads: 8,
      num_hidden_layers: 26,
      num_key_value_heads: 4,
      query_pre_attn_scalar: 256,
      rms_norm_eps: 1e-6,
      rope_theta: 10000.0,
      sliding_window: 4096,
      vocab_size: 256000
    },
    { attentionSoftCap: 50, logitSoftCap: 30, tiedHead: true }
  ],
  [
    'Phi-4-mini',
    {
      architectures: ['Phi3ForCausalLM'],
      attention_bias: false,
      auto_map: {
        AutoConfig: 'configuration_phi3.Phi3Config',
        AutoModelForCausalLM: 'modeling_phi3.Phi3ForCausalLM',
        AutoTokenizer: 'Xenova/gpt-4o'
      },
      bos_token_id: 199999,
      embd_pdrop: 0.0,
      eos_token_id: 199999,
      full_attn_mod: 1,
      hidden_act: 'silu',
      hidden_size: 3072,
      intermediate_size: 8192,
      interpolate_factor: 1,
      lm_head_bias: false,
      max_position_embeddings: 131072,
      mlp_bias: false,
      model_type: 'phi3',
      num_attention_heads: 24,
      num_hidden_layers: 32,
      num_key_value_heads: 8,
      original_max_position_embeddings: 4096,
      partial_rotary_factor: 0.75,
      resid_pdrop: 0.0,
      rms_norm_eps: 1e-5,
      rope_scaling: {
        long_factor: Array.from({ length: 48 }, (_, index) => 1 + index),
        short_factor: Array.from({ length: 48 }, () => 1),
        type: 'longrope'
      },
      rope_theta: 10000.0,
      sliding_window: 262144,
      tie_word_embeddings: true,
      vocab_size: 200064
    },
    { rotarySize: 96, headSize: 128, windows: undefined, tiedHead: true }
  ],
  [
    'Phi-3 mini',
    {
      architectures: ['Phi3ForCausalLM'],
      auto_map: { AutoModelForCausalLM: 'modeling_phi3.Phi3ForCausalLM' },
      hidden_act: 'silu',
      hidden_size: 3072,
      intermediate_size: 8192,
      max_position_embeddings: 4096,
      model_type: 'phi3',
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 32,
      original_max_position_embeddings: 4096,
      rms_norm_eps: 1e-5,
      rope_scaling: null,
      sliding_window: 2047,
      tie_word_embeddings: false,
      vocab_size: 32064
    },
    { windows: Array.from({ length: 32 }, () => 2047), tiedHead: false }
  ],
  [
    'SmolLM3',
    {
      architectures: ['SmolLM3ForCausalLM'],
      attention_bias: false,
      hidden_act: 'silu',
      hidden_size: 2048,
      intermediate_size: 11008,
      layer_types: Array.from({ length: 36 }, () => 'full_attention'),
      max_position_embeddings: 65536,
      max_window_layers: 28,
      mlp_bias: false,
      model_type: 'smollm3',
      no_rope_layer_interval: 4,
      no_rope_layers: Array.from({ length: 36 }, (_, index) => (index % 4 === 3 ? 0 : 1)),
      num_attention_heads: 16,
      num_hidden_layers: 36,
      num_key_value_heads: 4,
      pretraining_tp: 2,
      rms_norm_eps: 1e-6,
      rope_scaling: null,
      rope_theta: 5000000.0,
      sliding_window: null,
      use_sliding_window: false,
      vocab_size: 128256
    },
    { tiedHead: true, windows: undefined, ropeTheta: 5_000_000 }
  ],
  [
    'Granite 4.0 micro',
    {
      architectures: ['GraniteMoeHybridForCausalLM'],
      attention_bias: false,
      attention_multiplier: 0.015625,
      embedding_multiplier: 12,
      hidden_act: 'silu',
      hidden_size: 2560,
      init_method: 'mup',
      intermediate_size: 8192,
      layer_types: Array.from({ length: 40 }, () => 'attention'),
      logits_scaling: 10,
      mamba_chunk_size: 256,
      mamba_conv_bias: true,
      mamba_d_conv: 4,
      mamba_d_head: 64,
      mamba_d_state: 256,
      mamba_expand: 2,
      mamba_n_groups: 1,
      mamba_n_heads: 64,
      mamba_proj_bias: false,
      max_position_embeddings: 131072,
      model_type: 'granitemoehybrid',
      normalization_function: 'rmsnorm',
      num_attention_heads: 40,
      num_experts_per_tok: 0,
      num_hidden_layers: 40,
      num_key_value_heads: 8,
      num_local_experts: 0,
      output_router_logits: false,
      position_embedding_type: 'rope',
      residual_multiplier: 0.22,
      rms_norm_eps: 1e-5,
      rope_theta: 10000000,
      router_aux_loss_coef: 0.01,
      shared_intermediate_size: 8192,
      tie_word_embeddings: true,
      vocab_size: 100352
    },
    { unrotated: undefined, attentionScale: 0.015625, hiddenScale: 0.1, residualScale: 0.22 }
  ],
  [
    'OLMo 3',
    {
      architectures: ['Olmo3ForCausalLM'],
      attention_bias: false,
      hidden_act: 'silu',
      hidden_size: 4096,
      intermediate_size: 11008,
      layer_types: Array.from({ length: 32 }, (_, index) =>
        index % 4 === 3 ? 'full_attention' : 'sliding_attention'
      ),
      max_position_embeddings: 65536,
      model_type: 'olmo3',
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 32,
      rms_norm_eps: 1e-6,
      rope_scaling: {
        attention_factor: 1.2079441541679836,
        beta_fast: 32,
        beta_slow: 1,
        factor: 8.0,
        original_max_position_embeddings: 8192,
        rope_type: 'yarn'
      },
      rope_theta: 500000,
      sliding_window: 4096,
      tie_word_embeddings: false,
      vocab_size: 100278
    },
    { queryKeyNorm: 'all-heads', ropeTheta: 500_000 }
  ],
  [
    'LFM2 350M',
    {
      architectures: ['Lfm2ForCausalLM'],
      block_auto_adjust_ff_dim: true,
      block_dim: 1024,
      block_ff_dim: 6656,
      block_ffn_dim_multiplier: 1.0,
      block_mlp_init_scale: 1.0,
      block_multiple_of: 256,
      block_norm_eps: 1e-5,
      block_out_init_scale: 1.0,
      block_use_swiglu: true,
      block_use_xavier_init: true,
      conv_L_cache: 3,
      conv_bias: false,
      conv_dim: 1024,
      conv_dim_out: 1024,
      conv_use_xavier_init: true,
      full_attn_idxs: [2, 5, 8, 10, 12, 14],
      hidden_size: 1024,
      max_position_embeddings: 128000,
      model_type: 'lfm2',
      norm_eps: 1e-5,
      num_attention_heads: 16,
      num_heads: 16,
      num_hidden_layers: 16,
      num_key_value_heads: 8,
      rope_theta: 1000000.0,
      theta: 1000000.0,
      use_pos_enc: true,
      vocab_size: 65536
    },
    {
      intermediateSize: 4608,
      tiedHead: true,
      convolution: {
        width: 3,
        bias: false,
        layers: Array.from({ length: 16 }, (_, index) => ![2, 5, 8, 10, 12, 14].includes(index))
      }
    }
  ],
  [
    'Ministral 3 3B',
    {
      architectures: ['Mistral3ForConditionalGeneration'],
      dtype: 'bfloat16',
      image_token_index: 10,
      model_type: 'mistral3',
      multimodal_projector_bias: false,
      projector_hidden_act: 'gelu',
      spatial_merge_size: 2,
      text_config: {
        attention_dropout: 0.0,
        head_dim: 128,
        hidden_act: 'silu',
        hidden_size: 3072,
        intermediate_size: 9216,
        max_position_embeddings: 262144,
        model_type: 'ministral3',
        num_attention_heads: 32,
        num_hidden_layers: 26,
        num_key_value_heads: 8,
        rms_norm_eps: 1e-5,
        rope_parameters: {
          beta_fast: 32.0,
          beta_slow: 1.0,
          factor: 16.0,
          llama_4_scaling_beta: 0.1,
          mscale: 1.0,
          mscale_all_dim: 1.0,
          original_max_position_embeddings: 16384,
          rope_theta: 1000000.0,
          rope_type: 'yarn',
          type: 'yarn'
        },
        sliding_window: null,
        tie_word_embeddings: true,
        vocab_size: 131072
      },
      vision_config: { model_type: 'pixtral' },
      vision_feature_layer: -1
    },
    { tower: 'mistral3', tiedHead: true, queryGrowth: { beta: 0.1, positions: 16_384 } }
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

describe('published config.json files', () => {
  for (const [name, json, expected] of REAL) {
    it(`of ${name} are read`, () => {
      const config: ModelConfig = parseModelConfig(JSON.parse(JSON.stringify(json)))
      for (const [key, value] of Object.entries(expected))
        assert.deepEqual(config[key as keyof ModelConfig], value, key)
    })
  }
})
