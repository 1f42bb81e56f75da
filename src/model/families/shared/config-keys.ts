import { findUnreadKeys, type KeyTable } from '../../../formats/hugging-face/checked-keys.ts'
import { NOTE_KEYS } from '../../../formats/hugging-face/note-keys.ts'
import { UnsupportedModelError } from './model-family.ts'

/** A family's own keys of config.json, in addition to those that all families share. */
export interface FamilyKeys extends Pick<KeyTable, 'used' | 'harmless' | 'refused'> {
  /** Classes of a folder's own Python code that compute the same as transformers for this model_type. */
  readonly ownCode?: readonly string[]
}

/**
 * Keys of config.json that have no effect in any family, according to transformers 5.24: those of its PreTrainedConfig,
 * its generation parameters, and keys written by earlier versions and common tools.
 */
const HARMLESS: KeyTable['harmless'] = [
  {
    reason: 'metadata of the program that wrote the folder',
    keys: [
      ...['_name_or_path', 'name_or_path', '_commit_hash', 'transformers_version', 'transformers.js_config'],
      ...['model_name', 'model_version', 'is_llama_config', 'license', 'tags', 'unsloth_version'],
      ...['unsloth_fixed', 'unsloth_training_args', '_unsloth_temporary_saved_buffers', 'mlx_lm_version'],
      ...['finetuning_task', 'task_specific_params', 'problem_type', 'prefix', 'tokenizer_class']
    ]
  },
  {
    reason: 'how a program stores or runs the weights, not what they compute',
    keys: [
      ...[
        'torch_dtype',
        'dtype',
        'use_cache',
        'torchscript',
        'use_bfloat16',
        'tf_legacy_loss',
        'onnx_export'
      ],
      ...['attn_implementation', '_attn_implementation', '_attn_implementation_autoset', 'flash_attn'],
      ...['_attn_implementation_internal', 'use_flash_attn', 'use_flash_attention', 'use_flash_attention_2'],
      ...['_flash_attn_2_enabled', 'experts_implementation', '_experts_implementation', 'fused_bias_fc'],
      ...['use_memory_efficient_attention', 'gradient_checkpointing', 'chunk_size_feed_forward'],
      ...[
        'pretraining_tp',
        'tensor_parallel',
        'base_model_tp_plan',
        'base_model_pp_plan',
        'reorder_and_upcast_attn'
      ],
      ...[
        'cache_implementation',
        'output_attentions',
        'output_hidden_states',
        'output_scores',
        'return_dict'
      ],
      ...['return_dict_in_generate', 'tie_last_hidden_states']
    ]
  },
  {
    reason: 'used for initial weights or for training the base, which is frozen and has its dropout off',
    keys: [
      ...['initializer_range', 'initializer_factor', 'init_std', 'attention_dropout', 'hidden_dropout'],
      ...[
        'attn_pdrop',
        'embd_pdrop',
        'resid_pdrop',
        'dropout',
        'classifier_dropout',
        'summary_first_dropout'
      ],
      ...['neftune_noise_alpha', 'z_loss', 'router_aux_loss_coef', 'ensure_weight_tying']
    ]
  },
  {
    reason: 'about classification heads, whose tensors are rejected if a folder has them',
    keys: [
      ...['id2label', 'label2id', 'num_labels', 'num_choices', 'summary_type', 'summary_use_proj'],
      ...['summary_activation', 'summary_proj_to_labels', 'summary_last_dropout']
    ]
  },
  {
    reason: 'about generation or tokens, and read elsewhere or from generation_config.json',
    keys: [
      ...['pad_token_id', 'unk_token_id', 'sep_token_id', 'cls_token_id', 'mask_token_id', 'n_special'],
      ...['predict_special_tokens', 'decoder_start_token_id', 'bad_words_ids', 'begin_suppress_tokens'],
      ...['diversity_penalty', 'do_sample', 'early_stopping', 'encoder_no_repeat_ngram_size', 'stop_strings'],
      ...['encoder_repetition_penalty', 'epsilon_cutoff', 'eta_cutoff', 'exponential_decay_length_penalty'],
      ...[
        'forced_bos_token_id',
        'forced_eos_token_id',
        'length_penalty',
        'max_length',
        'min_length',
        'min_p'
      ],
      ...['max_new_tokens', 'no_repeat_ngram_size', 'num_beam_groups', 'num_beams', 'num_return_sequences'],
      ...['remove_invalid_values', 'repetition_penalty', 'suppress_tokens', 'temperature', 'top_k', 'top_p'],
      ...['typical_p', 'num_assistant_tokens', 'num_assistant_tokens_schedule', 'assistant_lookbehind'],
      ...['assistant_confidence_threshold', 'target_lookbehind']
    ]
  },
  {
    reason: 'lengths used or recommended by the authors; the models of transformers do not read them',
    keys: [
      'max_sequence_length',
      'max_seq_len',
      'model_max_length',
      'seq_length',
      'tokenizer_model_max_length'
    ]
  },
  {
    reason: 'read by encoder-decoder models and other architectures, but not by these decoders',
    keys: ['is_decoder', 'tie_encoder_decoder', 'type_vocab_size']
  }
]

const OTHER_ARCHITECTURE = 'belongs to an unsupported architecture'

const QUANTISED =
  'says that the weights are quantised: use the folder of the unquantised model, or remove the key if the weights are not quantised'
const EXPERTS = 'says that the layers have experts: mixture-of-experts models are not supported'

/** Keys that change what is computed, in transformers or in the folder's own code. */
const REFUSED: KeyTable['refused'] = {
  quantization_config: {
    cure: 'is not supported (supported: none: F32, F16 or BF16 weights): use the folder of the unquantised model'
  },
  quantization: {
    cure: 'says that the weights are quantised (MLX): use the folder of the unquantised model'
  },
  quant_method: { cure: QUANTISED },
  is_quantized: { cure: QUANTISED },
  bits: { cure: QUANTISED },
  bnb_config: { cure: QUANTISED },
  load_in_4bit: { cure: QUANTISED },
  load_in_8bit: { cure: QUANTISED },
  _load_in_4bit: { cure: QUANTISED },
  _load_in_8bit: { cure: QUANTISED },
  compression_config: { cure: QUANTISED },
  sparsity_config: { cure: QUANTISED },
  num_experts: { unless: [0, 1], cure: EXPERTS },
  num_local_experts: { unless: [0, 1], cure: EXPERTS },
  n_routed_experts: { unless: [0], cure: EXPERTS },
  moe: { cure: EXPERTS },
  is_encoder_decoder: { cure: OTHER_ARCHITECTURE },
  add_cross_attention: { cure: 'is not supported (supported: false)' },
  cross_attention_hidden_size: { cure: OTHER_ARCHITECTURE },
  is_causal: {
    unless: [true],
    cure: 'means bidirectional attention: such a model computes embeddings and does not predict the next token'
  },
  use_bidirectional_attention: {
    cure: 'means bidirectional attention: such a model computes embeddings and does not predict the next token'
  },
  pruned_heads: { cure: 'removes heads on loading: save the model with the heads removed' },
  per_layer_config: { cure: 'changes settings of individual layers, which is not supported' },
  fusion_config: { cure: 'changes how layers are computed, and is not supported' },
  partial_rotary_factor: {
    unless: [1],
    cure: 'is not supported (supported: 1): only a part of each head would be rotated'
  },
  position_embedding_type: { unless: ['absolute', 'rope', 'rotary'], cure: OTHER_ARCHITECTURE },
  rope_interleaved: {
    cure: 'pairs the elements of a head differently than transformers, which is not supported'
  },
  rope_interleave: {
    cure: 'pairs the elements of a head differently than transformers, which is not supported'
  },
  scale_embedding: { unless: [1], cure: OTHER_ARCHITECTURE },
  embedding_multiplier: { unless: [1], cure: OTHER_ARCHITECTURE },
  residual_multiplier: { unless: [1], cure: OTHER_ARCHITECTURE },
  attention_multiplier: { cure: OTHER_ARCHITECTURE },
  logits_scaling: { unless: [1], cure: OTHER_ARCHITECTURE },
  logit_scale: { unless: [1], cure: OTHER_ARCHITECTURE },
  final_logit_softcapping: { cure: OTHER_ARCHITECTURE },
  attn_logit_softcapping: { cure: OTHER_ARCHITECTURE },
  query_pre_attn_scalar: { cure: OTHER_ARCHITECTURE },
  clip_qkv: { cure: OTHER_ARCHITECTURE },
  text_config: { cure: 'belongs to a multimodal model: save only its language model' },
  vision_config: { cure: 'belongs to a multimodal model: save only its language model' },
  audio_config: { cure: 'belongs to a multimodal model: save only its language model' }
}

/**
 * Rejects a config.json with meaningful keys that its reader would ignore.
 *
 * @throws {UnsupportedModelError} naming every such key, its value and what to do
 */
export function refuseUnreadKeys(json: unknown, family: FamilyKeys): void {
  const table = {
    file: 'config.json',
    used: [...family.used, 'architectures', 'auto_map'],
    harmless: [...HARMLESS, ...family.harmless, ...NOTE_KEYS],
    refused: { ...REFUSED, ...family.refused }
  }
  const faults = [
    ...findUnreadKeys(json as object, table),
    ...otherClass(json as Record<string, unknown>, family.ownCode ?? [])
  ]
  if (faults.length > 0) throw new UnsupportedModelError(faults.join('; '))
}

/**
 * Rejects a config.json of a multimodal model with meaningful keys, outside of its parts, that its reader would ignore.
 *
 * @throws {UnsupportedModelError} naming every such key, its value and what to do
 */
export function refuseTowerKeys(
  json: unknown,
  keys: { readonly used: readonly string[]; readonly harmless: readonly string[]; readonly class: string }
): void {
  const own = { reason: 'about parts other than the text model', keys: keys.harmless }
  const table = {
    file: 'config.json',
    used: [...keys.used, 'architectures'],
    harmless: [...HARMLESS, own],
    refused: REFUSED
  }
  const faults = findUnreadKeys(json as object, table)
  const { architectures } = json as Record<string, unknown>
  if (Array.isArray(architectures) && !architectures.includes(keys.class))
    faults.push(`config.json, architectures: ${JSON.stringify(architectures)} is not ${keys.class}`)
  if (faults.length > 0) throw new UnsupportedModelError(faults.join('; '))
}

/** Class names of models that predict the next token, with or without their head. */
const CAUSAL = /(?:CausalLM|LMHeadModel|Model)$/

/** The fault that Python class names reveal: a head for another task, or the folder's own code. */
function otherClass(
  { architectures, auto_map }: Record<string, unknown>,
  ownCode: readonly string[]
): string[] {
  const faults: string[] = []
  const names = Array.isArray(architectures) ? architectures.map(String) : []
  if (names.length > 0 && !names.some((name) => CAUSAL.test(name)))
    faults.push(
      `config.json, architectures: ${JSON.stringify(names)} does not predict the next token: only …ForCausalLM is supported`
    )
  const classes = typeof auto_map === 'object' && auto_map !== null ? Object.entries(auto_map) : []
  const own = classes.flatMap(([name, code]) => (ownCode.includes(String(code)) ? [] : [name]))
  const model = own.find((name) => name === 'AutoModel' || name === 'AutoModelForCausalLM')
  if (model !== undefined)
    faults.push(
      `config.json, auto_map.${model} says that Python code in the folder computes this model. Loam does not run it: if transformers computes the same without it (trust_remote_code=False), remove auto_map`
    )
  return faults
}
