import assert from 'node:assert/strict'
import fc from 'fast-check'
import { kneserNeyBigram, meanNats, unigramModel } from '../../../../pretrain/index.ts'

const VOCABULARY = 7
const corpora = fc.array(fc.array(fc.integer({ min: 0, max: VOCABULARY - 1 }), { maxLength: 40 }), {
  maxLength: 5
})
const tokens = Array.from({ length: VOCABULARY }, (_, id) => id)

describe('pretrain/kneser-ney', () => {
  for (const [name, build] of [
    ['unigram', unigramModel],
    ['bigram', kneserNeyBigram]
  ] as const) {
    it(`gives ${name} probabilities above 0 that sum to 1 after every token, whatever the corpus`, () => {
      fc.assert(
        fc.property(corpora, fc.constantFrom(...tokens), (corpus, previous) => {
          const model = build(corpus, VOCABULARY)
          const probabilities = tokens.map((next) => model.probability(previous, next))
          const sum = probabilities.reduce((total, value) => total + value, 0)
          assert.ok(Math.abs(sum - 1) < 1e-12, `sum ${sum}`)
          assert.ok(probabilities.every((value) => value > 0))
        })
      )
    })
  }

  it('follows the formula on a corpus counted by hand', () => {
    // Bigrams: 0 1 twice, 1 2 once, 1 0 once, 2 0 once. n1 = 3, n2 = 1, so D = 3/5.
    // Distinct bigrams: 4; that end in 0: 2, in 1: 1, in 2: 1; so for continuations n1 = 2, n2 = 1, D' = 1/2.
    const model = kneserNeyBigram([[0, 1, 2, 0, 1, 0]], 3)
    const continuation = [(2 - 0.5) / 4, (1 - 0.5) / 4, (1 - 0.5) / 4].map((kept) => kept + (0.5 * 3) / 4 / 3)
    const near = (actual: number, expected: number): void =>
      assert.ok(Math.abs(actual - expected) < 1e-15, `${actual}, not ${expected}`)
    near(model.probability(0, 1), (2 - 0.6) / 2 + ((0.6 * 1) / 2) * continuation[1]!)
    near(model.probability(1, 2), (1 - 0.6) / 2 + ((0.6 * 2) / 2) * continuation[2]!)
    near(model.probability(1, 1), ((0.6 * 2) / 2) * continuation[1]!)
  })

  it('prefers, after an unknown token, one that follows many tokens to one that follows one token often', () => {
    const varied = [1, 2, 3, 4].flatMap((previous) => [previous, 5])
    const sticky = Array.from({ length: 20 }, () => [4, 6]).flat()
    const model = kneserNeyBigram([varied, sticky], VOCABULARY)
    assert.ok(model.probability(0, 5) > model.probability(0, 6))
  })

  it('scores every token but the first of a sequence', () => {
    const uniform = { probability: () => 1 / 8 }
    assert.deepEqual(meanNats(uniform, [[0, 1, 2], [3], [4, 5]]), { nats: Math.log(8), tokens: 3 })
  })
})
