import assert from 'node:assert/strict'
import { createTextTokenizer } from '../../../../src/model/tokenizer/tokenizer.ts'

const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
const MODEL = { type: 'BPE', vocab: { a: 0, b: 1, '<s>': 2 }, merges: [] }
const TOKENIZER = { version: '1.0', pre_tokenizer: BYTE_LEVEL, model: MODEL }
const SPACES = { Regex: '\\s+' }

describe("the keys of a tokenizer's files", () => {
  const load = (change: object, config: object = {}, more: object = {}) =>
    createTextTokenizer({ ...TOKENIZER, ...change }, config, more)
  const refused = (message: RegExp, ...args: Parameters<typeof load>) =>
    assert.throws(() => load(...args), message)

  it('may be missing where the tokenizers library allows it', () => {
    assert.deepEqual(createTextTokenizer(TOKENIZER, {}).encode('ab'), [0, 1])
    assert.throws(() => load({ normalizer: { type: 'Nmt' } }), /^Error: tokenizer\.json: .*Nmt/)
  })

  it('are refused where they would give other tokens than the tokenizers library', () => {
    const split = (settings: object) => ({
      pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', ...settings }, BYTE_LEVEL] }
    })
    refused(/Split with invert: true/, split({ pattern: SPACES, behavior: 'Isolated', invert: true }))
    refused(/plain text as pattern/, split({ pattern: { String: ' ' }, behavior: 'Removed', invert: false }))
    load(split({ pattern: SPACES, behavior: 'Removed', invert: true }))
    load(split({ pattern: SPACES, behavior: 'Isolated', invert: false }))
    refused(/Punctuation with behavior "Removed"/, {
      pre_tokenizer: { type: 'Punctuation', behavior: 'Removed' }
    })
    refused(/continuing_subword_prefix "##"/, { model: { ...MODEL, continuing_subword_prefix: '##' } })
    refused(/model: the type WordLevel is not supported/, { model: { ...MODEL, type: 'WordLevel' } })
    refused(/"<s>" has single_word: true/, {
      added_tokens: [{ id: 2, content: '<s>', single_word: true, special: true }]
    })
    refused(/model, dropout: 0\.1 makes other tokens/, { model: { ...MODEL, dropout: 0.1 } })
    load({ model: { ...MODEL, dropout: null } })
    refused(/model, shuffle_merges: true is a key that Loam does not know/, {
      model: { ...MODEL, shuffle_merges: true }
    })
    refused(/segmenter: "x" is a key/, { segmenter: 'x' })
  })

  it('are refused if the two files contradict each other, or one adds tokens', () => {
    const asked = { add_prefix_space: true }
    for (const name of ['GPT2Tokenizer', 'GPT2TokenizerFast', 'Qwen2Tokenizer'])
      refused(/add_prefix_space: true contradicts tokenizer\.json/, {}, { ...asked, tokenizer_class: name })
    load({}, { ...asked, tokenizer_class: 'PreTrainedTokenizerFast' })
    load({}, { add_prefix_space: false, tokenizer_class: 'GPT2Tokenizer' })
    const added = [{ id: 2, content: '<s>', special: true, lstrip: false, rstrip: false, single_word: false }]
    const decoder = (flags: object) => ({ added_tokens_decoder: { 2: { ...added[0], ...flags } } })
    for (const flag of ['lstrip', 'rstrip', 'single_word'])
      refused(
        new RegExp(`added_tokens_decoder: "<s>" has ${flag}: true, and in tokenizer\\.json false`),
        { added_tokens: added },
        decoder({ [flag]: true })
      )
    load({ added_tokens: added }, decoder({}))
    refused(/split_special_tokens: true/, {}, { split_special_tokens: true })
    refused(
      /added_tokens_decoder: "<x>" is not in tokenizer\.json/,
      {},
      {
        added_tokens_decoder: { 3: { content: '<x>' } }
      }
    )
    refused(/additional_special_tokens: "<x>"/, {}, { additional_special_tokens: ['<s>', '<x>'] })
    refused(/extra_special_tokens: "<x>"/, {}, { extra_special_tokens: { image_token: '<x>' } })
    refused(/added_tokens\.json: "<x>"/, {}, {}, { addedTokens: { '<x>': 3 } })
    load({}, { additional_special_tokens: ['<s>'] }, { addedTokens: { '<s>': 2 } })
  })

  it('are accepted with what other programs leave in tokenizer_config.json', () => {
    const config = {
      ...{ model_max_length: 9, clean_up_tokenization_spaces: true, legacy: true, padding_side: 'left' },
      ...{ sp_model_kwargs: { a: 1 }, unsloth_version: '1', backend: 'tokenizers', is_local: true },
      ...{ image_token: null, response_schema: {}, errors: 'replace', tokenizer_file: 'x', my_note: 'x' }
    }
    load({ truncation: { max_length: 3 }, padding: { strategy: { Fixed: 3 } } }, config)
  })
})
