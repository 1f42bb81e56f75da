import assert from 'node:assert/strict'
import fc from 'fast-check'
import { splitDocuments, type TextDocument } from '../../../../src/data/index.ts'

const documents = (sizes: readonly number[]): TextDocument[] =>
  sizes.map((size, index) => ({ id: `document/${index}`, text: 'x'.repeat(size) }))

describe('data/split/hold-out', () => {
  it('splits every corpus into two disjoint parts, the same for the same seed', () => {
    const corpora = fc
      .array(fc.integer({ min: 1, max: 3000 }), { minLength: 3, maxLength: 80 })
      .map(documents)
    fc.assert(
      fc.property(corpora, fc.integer(), (corpus, seed) => {
        const { train, heldOut } = splitDocuments(corpus, { seed, maximumCharacters: 6000 })
        assert.deepEqual(new Set([...train, ...heldOut]), new Set(corpus))
        assert.equal(train.length + heldOut.length, corpus.length)
        assert.ok(train.length >= 1 && heldOut.length >= 2)
        assert.ok(heldOut.length <= Math.max(2, corpus.length / 10))
        assert.deepEqual(splitDocuments(corpus, { seed, maximumCharacters: 6000 }), { train, heldOut })
      })
    )
  })

  it('stops holding out once there is enough text', () => {
    const corpus = documents(Array.from({ length: 100 }, () => 1000))
    assert.equal(splitDocuments(corpus, { seed: 1, maximumCharacters: 3500 }).heldOut.length, 4)
  })

  it('depends on the seed', () => {
    const corpus = documents(Array.from({ length: 100 }, () => 1))
    assert.notDeepEqual(
      splitDocuments(corpus, { seed: 1 }).heldOut,
      splitDocuments(corpus, { seed: 2 }).heldOut
    )
  })

  it('refuses a corpus that would leave nothing to train on', () => {
    assert.throws(() => splitDocuments(documents([1, 1]), { seed: 1 }), /cannot hold out 2 of 2 documents/)
  })
})
