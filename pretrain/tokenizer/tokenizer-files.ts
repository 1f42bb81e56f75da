import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BytePairEncoding } from './train-byte-pair-encoding.ts'

/** Precedes every document and ends every generation: the tokenizer's only special token, id 0. */
export const END_OF_TEXT = '<|endoftext|>'
export const END_OF_TEXT_ID = 0

/**
 * Converts a byte-level BPE to the contents of a Hugging Face `tokenizer.json` and `tokenizer_config.json`: GPT-2's
 * pre-tokenizer, lossless decoding, ids in the order special token, bytes, merges.
 */
export function tokenizerFiles(
  encoding: BytePairEncoding,
  maximumLength: number
): { readonly tokenizer: object; readonly config: object } {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  // A document starts with the special token, as it did in pretraining.
  const special = { SpecialToken: { id: END_OF_TEXT, type_id: 0 } }
  const vocabulary = Object.fromEntries([END_OF_TEXT, ...encoding.pieces].map((piece, id) => [piece, id]))
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [
        {
          id: END_OF_TEXT_ID,
          content: END_OF_TEXT,
          single_word: false,
          lstrip: false,
          rstrip: false,
          normalized: false,
          special: true
        }
      ],
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: {
        type: 'TemplateProcessing',
        single: [special, { Sequence: { id: 'A', type_id: 0 } }],
        pair: [
          special,
          { Sequence: { id: 'A', type_id: 0 } },
          special,
          { Sequence: { id: 'B', type_id: 1 } }
        ],
        special_tokens: { [END_OF_TEXT]: { id: END_OF_TEXT, ids: [END_OF_TEXT_ID], tokens: [END_OF_TEXT] } }
      },
      decoder: byteLevel,
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: '',
        end_of_word_suffix: '',
        fuse_unk: false,
        byte_fallback: false,
        vocab: vocabulary,
        merges: encoding.merges.map(([left, right]) => `${left} ${right}`)
      }
    },
    config: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      add_bos_token: true,
      add_eos_token: false,
      add_prefix_space: false,
      bos_token: END_OF_TEXT,
      eos_token: END_OF_TEXT,
      clean_up_tokenization_spaces: false,
      model_max_length: maximumLength
    }
  }
}

/** Writes both files into `folder`, which is created if missing. */
export function writeTokenizerFiles(folder: string, encoding: BytePairEncoding, maximumLength: number): void {
  const { tokenizer, config } = tokenizerFiles(encoding, maximumLength)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'tokenizer.json'), `${JSON.stringify(tokenizer, null, 1)}\n`)
  writeFileSync(join(folder, 'tokenizer_config.json'), `${JSON.stringify(config, null, 1)}\n`)
}
