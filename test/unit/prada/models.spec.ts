import assert from 'node:assert/strict'
import fc from 'fast-check'
import { VocabularyError } from '../../../src/prada/core/index.ts'
import { createTextLogits, readVocabulary } from '../../../src/prada/models/index.ts'
import { randomTable, tableModel } from './table-model.ts'

describe('logits after the prefixes of a text', () => {
  it('are those of each prefix, regardless of earlier requests', async () => {
    const size = 4
    const table = randomTable(1, size, 1)
    const texts = fc.array(fc.nat(size - 1), { minLength: 1, maxLength: 90 })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(texts, fc.nat()), { minLength: 1, maxLength: 8 }), async (asked) => {
        const logits = createTextLogits(tableModel(table, size))
        // Texts that begin alike, as drafts and corrections do.
        const stem = asked[0]![0]
        for (const [text, start] of asked) {
          const ids = [...stem.slice(0, start % stem.length), ...text]
          const from = 1 + (start % ids.length)
          const rows = await logits.behind(ids, from)
          assert.equal(rows.length, ids.length - from + 1)
          for (const [index, row] of rows.entries()) assert.deepEqual(row, table(ids.slice(0, from + index)))
        }
      })
    )
  })

  it('are not computed twice', async () => {
    let computed = 0
    const model = tableModel((prefix) => {
      computed++
      return Float32Array.of(prefix.length)
    }, 1)
    const logits = createTextLogits(model)
    for (let length = 1; length <= 10; length++) await logits.behind(Array(length).fill(0), length)
    assert.deepEqual(
      (await logits.behind(Array(10).fill(0), 3)).map(([value]) => value),
      [3, 4, 5, 6, 7, 8, 9, 10]
    )
    assert.equal(computed, 10)
  })
})

describe('the vocabulary of a tokenizer.json', () => {
  const text = (bytes: Uint8Array | undefined): string | undefined =>
    bytes && Buffer.from(bytes).toString('latin1')

  it('of byte-level BPE maps characters to bytes', () => {
    const vocabulary = readVocabulary(
      {
        model: { type: 'BPE', vocab: { Ġa: 1, 'Ã©': 2, Ċ: 4 } },
        added_tokens: [{ id: 0, content: '<|end|>' }],
        decoder: { type: 'ByteLevel' }
      },
      { bosId: 0, eosId: 0 }
    )
    assert.deepEqual(vocabulary.tokens.map(text), ['<|end|>', ' a', 'Ã©', undefined, '\n'])
    assert.equal(vocabulary.type, 'BPE, byte level')
  })

  it('of SentencePiece maps its space sign, and byte tokens to bytes', () => {
    const vocab = [
      ['<unk>', 0],
      ['<0x0A>', 0],
      ['\u2581the', -1.5]
    ]
    const tokenizer = { model: { type: 'Unigram', vocab, byte_fallback: true }, added_tokens: [] }
    const { tokens } = readVocabulary(tokenizer, { bosId: undefined })
    assert.deepEqual(tokens.map(text), ['<unk>', '\n', ' the'])
  })

  it('is refused when missing or invalid', () => {
    assert.throws(() => readVocabulary({}, { bosId: 0 }), VocabularyError)
    const odd = { model: { type: 'BPE', vocab: { '€': 0 } }, decoder: { type: 'ByteLevel' } }
    assert.throws(() => readVocabulary(odd, { bosId: 0 }), /token 0, €, is not of the byte-level alphabet/)
  })
})
