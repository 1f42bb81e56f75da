import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeBaseModel, initialiseLlama, saveBaseModel } from '../../../../src/model/index.ts'
import { tokenizerMetadata } from '../../../../src/node/export/gguf-tokenizer.ts'
import { TINY_CONFIG } from '../../model/tiny-llama.ts'
import { BYTE_LEVEL_TOKENIZER } from '../../model/tokenizers.ts'

const [SHAPE] = BYTE_LEVEL_TOKENIZER.added_tokens as [(typeof BYTE_LEVEL_TOKENIZER.added_tokens)[number]]
const added = (content: string, id: number, more: object = {}): object => ({ ...SHAPE, content, id, ...more })
const TOKENIZER = {
  ...BYTE_LEVEL_TOKENIZER,
  added_tokens: [
    added('<|start|>', 0),
    added('<|end|>', 12),
    added('<|stop|>', 13),
    added('<call>', 14, { special: false })
  ]
}
const CONFIG = {
  bos_token: '<|start|>',
  eos_token: '<|end|>',
  unk_token: '<|start|>',
  pad_token: '<|stop|>',
  add_bos_token: true
}
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: false }
const split = (Regex: string, more: object = {}) => ({
  type: 'Split',
  pattern: { Regex },
  behavior: 'Isolated',
  invert: false,
  ...more
})
const sequence = (...pretokenizers: object[]) => ({ type: 'Sequence', pretokenizers })
const LLAMA_3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

describe('a tokenizer in GGUF', () => {
  let folder: string
  const written = (tokenizer: object = {}, config: object = {}, files: Record<string, string> = {}) => {
    rmSync(folder, { recursive: true, force: true })
    saveBaseModel(folder, {
      config: TINY_CONFIG,
      weights: initialiseLlama(TINY_CONFIG, 1),
      tokenizerJson: { ...TOKENIZER, ...tokenizer },
      tokenizerConfigJson: { ...CONFIG, ...config }
    })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return new Map(
      tokenizerMetadata(describeBaseModel(folder)).map(([key, { value }]) => [
        key.replace('tokenizer.', ''),
        value
      ])
    )
  }
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-gguf-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('names the equivalent pre-tokenizer of llama.cpp, and refuses an unknown one', () => {
    const pre = (pre_tokenizer: object | null, model: object = {}) =>
      written({ pre_tokenizer, model: { ...BYTE_LEVEL_TOKENIZER.model, ...model } }).get('ggml.pre')
    assert.equal(pre(BYTE_LEVEL_TOKENIZER.pre_tokenizer), 'gpt-2')
    assert.equal(
      pre(sequence({ type: 'Digits', individual_digits: true }, BYTE_LEVEL_TOKENIZER.pre_tokenizer)),
      'smollm'
    )
    assert.equal(pre(sequence(split(LLAMA_3), byteLevel)), 'llama-bpe')
    assert.equal(pre(sequence(split(LLAMA_3, { behavior: 'Removed', invert: true }), byteLevel)), 'llama-bpe')
    assert.equal(pre(sequence(split(LLAMA_3.replace('{1,3}', '')), byteLevel)), 'qwen2')
    // A token that no merges come to: whether merges are ignored matters.
    const vocab = { ...BYTE_LEVEL_TOKENIZER.model.vocab, oh: 15 }
    assert.equal(pre(sequence(split(LLAMA_3), byteLevel), { vocab }), 'dbrx')
    assert.equal(pre(sequence(split(LLAMA_3), byteLevel), { vocab, ignore_merges: true }), 'llama-bpe')
    assert.throws(
      () => pre(BYTE_LEVEL_TOKENIZER.pre_tokenizer, { vocab, ignore_merges: true }),
      /"ignore_merges" is true/
    )
    for (const unknown of [
      sequence(split('\\w+'), byteLevel),
      null,
      { ...byteLevel, use_regex: true, add_prefix_space: true }
    ])
      assert.throws(() => pre(unknown), /its pre-tokenizer is .*cannot be written as GGUF/)
    assert.throws(() => written({ normalizer: { type: 'Lowercase' } }), /its normalizer is .*Lowercase/)
    assert.equal(written({ normalizer: { type: 'NFC' } }).get('ggml.pre'), 'gpt-2')
  })

  it('stores special tokens, token types, and what is added around a text', () => {
    const metadata = written({}, {}, { 'generation_config.json': '{"eos_token_id":[12,13]}' })
    const expected = {
      'ggml.bos_token_id': 0,
      'ggml.eos_token_id': 12,
      'ggml.eot_token_id': 13,
      'ggml.unknown_token_id': 0,
      'ggml.padding_token_id': 13,
      'ggml.add_bos_token': true,
      'ggml.add_eos_token': false
    }
    for (const [key, value] of Object.entries(expected)) assert.equal(metadata.get(key), value, key)
    const kinds = metadata.get('ggml.token_type') as number[]
    assert.deepEqual([kinds[0], kinds[1], kinds[12], kinds[14], kinds[20]], [3, 1, 3, 4, 5])
    assert.equal((metadata.get('ggml.tokens') as string[]).length, TINY_CONFIG.vocabularySize)
    assert.equal(written({}, { add_bos_token: false }).get('ggml.add_bos_token'), false)
    assert.throws(() => written({}, { eos_token: null }), /names no token that ends texts/)
    const strips = { added_tokens: [...TOKENIZER.added_tokens, added('<mask>', 15, { lstrip: true })] }
    assert.throws(() => written(strips), /"<mask>" takes in the spaces/)
  })

  it('stores the chat templates, a newer file over the config', () => {
    const template = [
      { name: 'default', template: 'd' },
      { name: 'tool_use', template: 't' }
    ]
    const several = written({}, { chat_template: template })
    assert.equal(several.get('chat_template'), 'd')
    assert.equal(several.get('chat_template.tool_use'), 't')
    assert.deepEqual(several.get('chat_templates'), ['tool_use'])
    const file = written({}, { chat_template: template }, { 'chat_template.jinja': 'newer' })
    assert.equal(file.get('chat_template'), 'newer')
    assert.equal(written().has('chat_template'), false)
  })

  it('of SentencePiece type stores scores in merge order, and whether a space goes before texts', () => {
    const bytes = Object.fromEntries(
      Array.from({ length: 256 }, (_, byte) => [
        `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
        byte + 3
      ])
    )
    const vocab = { '<unk>': 0, '<s>': 1, '</s>': 2, ...bytes, '▁': 259, a: 260, '▁a': 261 }
    const config = { ...TINY_CONFIG, vocabularySize: 262 }
    const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' }
    const pieces = (more: object = {}) => {
      rmSync(folder, { recursive: true, force: true })
      saveBaseModel(folder, {
        config,
        weights: initialiseLlama(config, 1),
        tokenizerJson: {
          ...TOKENIZER,
          added_tokens: [added('<unk>', 0), added('<s>', 1), added('</s>', 2)],
          normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, replace] },
          pre_tokenizer: null,
          model: {
            ...BYTE_LEVEL_TOKENIZER.model,
            vocab,
            merges: [['▁', 'a']],
            byte_fallback: true,
            unk_token: '<unk>'
          },
          ...more
        },
        tokenizerConfigJson: { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }
      })
      return new Map(tokenizerMetadata(describeBaseModel(folder)).map(([key, { value }]) => [key, value]))
    }
    const metadata = pieces()
    assert.equal(metadata.get('tokenizer.ggml.model'), 'llama')
    assert.equal(metadata.get('tokenizer.ggml.add_space_prefix'), true)
    assert.equal((metadata.get('tokenizer.ggml.scores') as number[])[261], -1)
    const kinds = metadata.get('tokenizer.ggml.token_type') as number[]
    assert.deepEqual([kinds[0], kinds[1], kinds[3], kinds[260]], [2, 3, 6, 1])
    assert.equal(pieces({ normalizer: replace }).get('tokenizer.ggml.add_space_prefix'), false)
    const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false }
    assert.throws(() => pieces({ normalizer: null, pre_tokenizer: metaspace }), /its way with spaces is/)
  })
})
