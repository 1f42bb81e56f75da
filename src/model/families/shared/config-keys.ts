import { findUnreadKeys, type KeyTable } from '../../../formats/hugging-face/checked-keys.ts'
import { NOTE_KEYS } from '../../../formats/hugging-face/note-keys.ts'
import { UnsupportedModelError } from './model-family.ts'

/** A name of a family's own: its keys of config.json beside those that all families share. */
export interface FamilyKeys extends Pick<KeyTable, 'used' | 'harmless' | 'refused'> {
  /** Classes of a folder's own Python code that compute what transformers' code of the model_type does. */
  readonly ownCode?: readonly string[]
}

/**
 * Keys of config.json that change nothing in any family, after transformers 5.24: its PreTrainedConfig, its generation
 * parameters, and what versions before it and common tools wrote.
 */
const HARMLESS: KeyTable['harmless'] = [
  {
    reason: 'notes of the program that wrote the folder',
    keys: [
      ...['_name_or_path', 'name_or_path', '_commit_hash', 'transformers_version', 'transformers.js_config'],
      ...['model_name', 'model_version', 'is_llama_config', 'license', 'tags', 'unsloth_version'],
      ...['unsloth_fixed', 'unsloth_training_args', '_unsloth_temporary_saved_buffers', 'mlx_lm_version'],
      ...['finetuning_task', 'task_specific_params', 'problem_type', 'prefix', 'tokenizer_class']
    ]
  },
  {
    reason: 'how a program holds or runs the weights, not what they compute',
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
    reason: 'used for fresh weights or in the training of the base, which stays as it is: its dropout is off',
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
    reason: 'about heads for classification, whose tensors are refused where a folder has them',
    keys: [
      ...['id2label', 'label2id', 'num_labels', 'num_choices', 'summary_type', 'summary_use_proj'],
      ...['summary_activation', 'summary_proj_to_labels', 'summary_last_dropout']
    ]
  },
  {
    reason: 'about generating or about tokens, and read by others or from generation_config.json',
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
    reason: "lengths that the makers trained with or recommend; transformers' models do not read them",
    keys: [
      'max_sequence_length',
      'max_seq_len',
      'model_max_length',
      'seq_length',
      'tokenizer_model_max_length'
    ]
  },
  {
    reason:
      'encoder-decoder models and other architectures read them; these families are decoders whatever they say',
    keys: ['is_decoder', 'tie_encoder_decoder', 'type_vocab_size']
  }
]

const OTHER_ARCHITECTURE = 'is of an architecture that is not supported'

const QUANTISED =
  'says that the weights are quantised: get the folder of the model before it was quantised, or remove the key if they are not'
const EXPERTS =
  'says that the layers have experts, of which each token uses a few: such models are not supported'

/** Keys that change what is computed, in transformers or in the code that a folder brings along. */
const REFUSED: KeyTable['refused'] = {
  quantization_config: {
    cure: 'is not supported (supported: none: F32, F16 or BF16 weights): get the folder of the model before it was quantised'
  },
  quantization: {
    cure: 'says that the weights are quantised (MLX): get the folder of the model before it was quantised'
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
    cure: 'means attention in both directions: such a model makes embeddings and predicts no next token'
  },
  use_bidirectional_attention: {
    cure: 'means attention in both directions: such a model makes embeddings and predicts no next token'
  },
  pruned_heads: { cure: 'removes heads when it is loaded: save the model with the heads removed' },
  per_layer_config: { cure: 'gives single layers other settings, which are not supported' },
  fusion_config: { cure: 'changes how layers are computed, and is not supported' },
  partial_rotary_factor: {
    unless: [1],
    cure: 'is not supported (supported: 1): only a part of each head would be rotated'
  },
  position_embedding_type: { unless: ['absolute', 'rope', 'rotary'], cure: OTHER_ARCHITECTURE },
  rope_interleaved: {
    cure: 'pairs the elements of a head in another way than transformers does: it is not supported'
  },
  rope_interleave: {
    cure: 'pairs the elements of a head in another way than transformers does: it is not supported'
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
  text_config: { cure: 'is of a model for more than text: save its language model alone' },
  vision_config: { cure: 'is of a model for more than text: save its language model alone' },
  audio_config: { cure: 'is of a model for more than text: save its language model alone' }
}

/**
 * Refuses a config.json that says something its reader would pass over.
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
 * Refuses a config.json of a larger model that says something, beside its parts, which its reader would pass over.
 *
 * @throws {UnsupportedModelError} naming every such key, its value and what to do
 */
export function refuseTowerKeys(
  json: unknown,
  keys: { readonly used: readonly string[]; readonly harmless: readonly string[]; readonly class: string }
): void {
  const own = { reason: 'about other parts than the text model', keys: keys.harmless }
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

/** Names of classes that predict the next token, or are one without its head. */
const CAUSAL = /(?:CausalLM|LMHeadModel|Model)$/

/** What the names of Python classes say: a head for another task, or code of the folder's own. */
function otherClass(
  { architectures, auto_map }: Record<string, unknown>,
  ownCode: readonly string[]
): string[] {
  const faults: string[] = []
  const names = Array.isArray(architectures) ? architectures.map(String) : []
  if (names.length > 0 && !names.some((name) => CAUSAL.test(name)))
    faults.push(
      `config.json, architectures: ${JSON.stringify(names)} is not a model that predicts the next token: only …ForCausalLM is read`
    )
  const classes = typeof auto_map === 'object' && auto_map !== null ? Object.entries(auto_map) : []
  const own = classes.flatMap(([name, code]) => (ownCode.includes(String(code)) ? [] : [name]))
  const model = own.find((name) => name === 'AutoModel' || name === 'AutoModelForCausalLM')
  if (model !== undefined)
    faults.push(
      `config.json, auto_map.${model} says that Python code in the folder computes this model, which Loam does not run: if transformers' own code computes the same (trust_remote_code=False), remove auto_map`
    )
  return faults
}
