/** Keys of generation_config.json that change no token that Loam generates, whatever they say, with the reason. */
const HARMLESS: Readonly<Record<string, string>> = {
  transformers_version: 'says who wrote the file',
  _from_model_config: 'says who wrote the file',
  _commit_hash: 'says who wrote the file',
  bos_token_id: 'the tokenizer says what texts begin with',
  pad_token_id: 'nothing is padded: one text is generated at a time',
  decoder_start_token_id: 'is for models with an encoder',
  encoder_no_repeat_ngram_size: 'is for models with an encoder',
  encoder_repetition_penalty: 'is for models with an encoder',
  use_cache: 'the cache changes the time alone',
  cache_implementation: 'the cache changes the time alone',
  cache_config: 'the cache changes the time alone',
  max_cache_len: 'the cache changes the time alone',
  return_legacy_cache: 'says what a call returns',
  return_dict_in_generate: 'says what a call returns',
  output_attentions: 'says what a call returns',
  output_hidden_states: 'says what a call returns',
  output_scores: 'says what a call returns',
  output_logits: 'says what a call returns',
  early_stopping: 'is for beams, which num_beams asks for',
  length_penalty: 'is for beams, which num_beams asks for',
  num_beam_groups: 'is for beams, which num_beams asks for',
  diversity_penalty: 'is for beams, which num_beams asks for',
  num_assistant_tokens: 'is for drafts, which change the time alone',
  num_assistant_tokens_schedule: 'is for drafts, which change the time alone',
  assistant_confidence_threshold: 'is for drafts, which change the time alone',
  assistant_lookbehind: 'is for drafts, which change the time alone',
  assistant_early_exit: 'is for drafts, which change the time alone',
  target_lookbehind: 'is for drafts, which change the time alone',
  is_assistant: 'is for drafts, which change the time alone',
  prompt_lookup_num_tokens: 'is for drafts, which change the time alone',
  max_matching_ngram_size: 'is for drafts, which change the time alone',
  compile_config: 'compiling changes the time alone',
  disable_compile: 'compiling changes the time alone',
  prefill_chunk_size: 'changes the time alone',
  low_memory: 'changes the memory alone',
  remove_invalid_values: 'logits that are not finite are an error'
}

/** Values with which a key does nothing, by transformers' defaults. */
const NEUTRAL: Readonly<Record<string, unknown>> = {
  num_beams: 1,
  num_return_sequences: 1,
  min_length: 0,
  min_new_tokens: 0,
  no_repeat_ngram_size: 0,
  typical_p: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  guidance_scale: 1,
  penalty_alpha: 0,
  renormalize_logits: false,
  token_healing: false
}

/** Whether a key of generation_config.json changes nothing with this value. */
export function isHarmlessGenerationKey(key: string, value: unknown): boolean {
  if (value == null || Object.hasOwn(HARMLESS, key)) return true
  if (Array.isArray(value) && value.length === 0) return true
  return Object.hasOwn(NEUTRAL, key) && value === NEUTRAL[key]
}
