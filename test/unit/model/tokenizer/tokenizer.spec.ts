import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createTextTokenizer, loadTokenizer } from '../../../../src/model/index.ts'
import { STORIES_FOLDER } from '../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

describe('tokenizer', () => {
  it('byte-level: merges by rank, preserves spaces and bytes, omits special tokens', () => {
    const tokenizer = createTextTokenizer(BYTE_LEVEL_TOKENIZER, BYTE_LEVEL_CONFIG)
    assert.equal(tokenizer.vocabularySize, 12)
    assert.equal(tokenizer.bosId, 0)
    assert.deepEqual(tokenizer.encode('hello hé'), [10, 4, 11, 6, 7])
    assert.equal(tokenizer.decode([0, 10, 4, 11, 6, 7]), 'hello hé')
    assert.deepEqual(tokenizer.encode(''), [])
    assert.equal(tokenizer.decode([]), '')
  })

  it('has no beginning-of-sequence id if the config names none', () => {
    for (const config of [{}, { bos_token: null }]) {
      assert.equal(createTextTokenizer(BYTE_LEVEL_TOKENIZER, config).bosId, undefined)
    }
    assert.equal(createTextTokenizer(BYTE_LEVEL_TOKENIZER, { bos_token: { content: '<|start|>' } }).bosId, 0)
  })

  it('refuses a config that names an unknown or malformed token', () => {
    assert.throws(() => createTextTokenizer(BYTE_LEVEL_TOKENIZER, { bos_token: '<s>' }), /bos_token <s>/)
    assert.throws(() => createTextTokenizer(BYTE_LEVEL_TOKENIZER, { bos_token: 3 }), /tokenizer_config.json/)
  })

  it('refuses an id that would need a table of a billion entries', () => {
    const [token] = BYTE_LEVEL_TOKENIZER.added_tokens
    const added = { ...BYTE_LEVEL_TOKENIZER, added_tokens: [{ ...token, id: 1e9 }] }
    const { model } = BYTE_LEVEL_TOKENIZER
    const vocabulary = { ...BYTE_LEVEL_TOKENIZER, model: { ...model, vocab: { ...model.vocab, h: 1e9 } } }
    for (const json of [added, vocabulary])
      assert.throws(
        () => createTextTokenizer(json, BYTE_LEVEL_CONFIG),
        /the id 1000000000 of .* is not below/
      )
  })

  it('llama-style: stories260k, with byte fallback', function () {
    if (!existsSync(STORIES_FOLDER)) {
      console.log(`      skipped: there is no ${STORIES_FOLDER} (set LOAM_SHARED)`)
      this.skip()
    }
    const tokenizer = loadTokenizer(STORIES_FOLDER)
    assert.equal(tokenizer.vocabularySize, 512)
    assert.equal(tokenizer.bosId, 1)
    // Once upon a time = ▁Once ▁upon ▁a ▁time; 3 + byte for what is no piece.
    assert.deepEqual(tokenizer.encode('Once upon a time').slice(0, 3), [403, 407, 261])
    for (const text of ['One day, Lily met a 🦊.', 'a  b\nc', 'naïve']) {
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text)
    }
    assert.ok(tokenizer.encode('🦊').includes(3 + 0xf0))
  })
})
