import { type KeyTable, unreadKeys } from '../../formats/hugging-face/checked-keys.ts'
import { NOTE_KEYS } from '../../formats/hugging-face/note-keys.ts'

const ABSENT_FEATURE = 'is not supported'

/**
 * All of GenerationConfig of transformers 5.24, and what versions before it wrote. `refused` keys change the tokens that
 * transformers would generate: since every one of them can be overruled by the user, they are named and not used.
 */
const KEYS: Omit<KeyTable, 'file' | 'used'> = {
  harmless: [
    ...NOTE_KEYS,
    {
      reason: 'says who wrote the file',
      keys: ['transformers_version', '_from_model_config', '_commit_hash', 'generation_kwargs']
    },
    {
      reason:
        'the tokenizer says what texts begin with, and nothing is padded: one text is generated at a time',
      keys: ['bos_token_id', 'pad_token_id']
    },
    {
      reason: 'is for models with an encoder',
      keys: ['decoder_start_token_id', 'encoder_no_repeat_ngram_size', 'encoder_repetition_penalty']
    },
    {
      reason: 'changes time and memory alone',
      keys: [
        ...['use_cache', 'cache_implementation', 'cache_config', 'max_cache_len', 'return_legacy_cache'],
        ...[
          'compile_config',
          'disable_compile',
          'prefill_chunk_size',
          'low_memory',
          'continuous_batching_config'
        ],
        ...['max_time', 'use_mtp']
      ]
    },
    {
      reason: 'says what a call returns',
      keys: [
        ...['return_dict_in_generate', 'output_attentions', 'output_hidden_states', 'output_scores'],
        'output_logits'
      ]
    },
    {
      reason: 'is for beams, which num_beams asks for',
      keys: ['early_stopping', 'length_penalty', 'num_beam_groups', 'diversity_penalty']
    },
    {
      reason: 'is for drafts, which change the time alone',
      keys: [
        ...['num_assistant_tokens', 'num_assistant_tokens_schedule', 'assistant_confidence_threshold'],
        ...['assistant_lookbehind', 'assistant_early_exit', 'assistant_ensemble_weight', 'target_lookbehind'],
        ...['is_assistant', 'prompt_lookup_num_tokens', 'max_matching_ngram_size', 'speculation_type']
      ]
    },
    { reason: 'logits that are not finite are an error', keys: ['remove_invalid_values'] },
    {
      reason: 'is of models for more than text',
      keys: [],
      patterns: [/^(?:audio|image|vision|video|speech|language|task|lang)_\w+$/]
    }
  ],
  refused: {
    num_beams: { unless: [1], cure: ABSENT_FEATURE },
    num_return_sequences: { unless: [1], cure: ABSENT_FEATURE },
    typical_p: { unless: [1], cure: ABSENT_FEATURE },
    top_h: { cure: ABSENT_FEATURE },
    epsilon_cutoff: { unless: [0], cure: ABSENT_FEATURE },
    eta_cutoff: { unless: [0], cure: ABSENT_FEATURE },
    guidance_scale: { unless: [1], cure: ABSENT_FEATURE },
    penalty_alpha: { unless: [0], cure: ABSENT_FEATURE },
    sequence_bias: { cure: ABSENT_FEATURE },
    watermarking_config: { cure: ABSENT_FEATURE },
    exponential_decay_length_penalty: { cure: ABSENT_FEATURE },
    forced_bos_token_id: { cure: ABSENT_FEATURE },
    forced_eos_token_id: { cure: ABSENT_FEATURE },
    force_words_ids: { cure: ABSENT_FEATURE },
    forced_decoder_ids: { cure: ABSENT_FEATURE },
    constraints: { cure: ABSENT_FEATURE },
    dola_layers: { cure: ABSENT_FEATURE },
    renormalize_logits: { cure: ABSENT_FEATURE },
    token_healing: { cure: ABSENT_FEATURE }
  }
}

/**
 * Keys of generation_config.json that are set, change the text, and are not used, as `key value`.
 *
 * @param used the keys that the reader uses
 */
export function unusedGenerationKeys(json: object, used: readonly string[]): string[] {
  return unreadKeys(json, { file: 'generation_config.json', used, ...KEYS }).map(
    ({ key, value }) => `${key} ${JSON.stringify(value)}`
  )
}

/** Further keys that transformers takes from config.json if generation_config.json is missing. */
export function generationPart(configJson: object, used: readonly string[]): Record<string, unknown> {
  const taken = [...used, ...Object.keys(KEYS.refused)]
  return Object.fromEntries(Object.entries(configJson).filter(([key]) => taken.includes(key)))
}
