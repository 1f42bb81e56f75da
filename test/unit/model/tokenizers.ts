/** A byte-level BPE of 12 pieces: enough for the letters of "hello", a space and their merges. */
export const BYTE_LEVEL_TOKENIZER = {
  version: '1.0',
  added_tokens: [
    {
      id: 0,
      content: '<|start|>',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true
    }
  ],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    // 'Ġ' stands for a space; 'Ã' and '©' for the two bytes of 'é'.
    vocab: { '<|start|>': 0, h: 1, e: 2, l: 3, o: 4, Ġ: 5, Ã: 6, '©': 7, ll: 8, he: 9, hell: 10, Ġh: 11 },
    merges: ['l l', 'h e', 'he ll', 'Ġ h']
  }
}

/** The tokenizer_config.json beside it. */
export const BYTE_LEVEL_CONFIG = {
  tokenizer_class: 'PreTrainedTokenizerFast',
  bos_token: '<|start|>',
  add_bos_token: true
}
