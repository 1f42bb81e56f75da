import assert from 'node:assert/strict'
import { createSeededRandom } from '../../../../src/data/order/seeded-random.ts'
import { adjustLogits } from '../../../../src/model/generate/adjust-logits.ts'
import { sampleToken } from '../../../../src/model/generate/sampling.ts'

const LOGITS = Float32Array.of(2, -1, 0.5, 1.5)
const text = (ids: number[], promptTokens = ids.length) => ({ ids, promptTokens })

describe('logit processors', () => {
  it('lower each token of the text once by the repetition penalty, according to its sign', () => {
    // Keskar et al. 2019, section 4.1: 2 / 2, -1 * 2.
    const adjusted = adjustLogits(LOGITS, { repetitionPenalty: 2 }, text([0, 1, 0]))
    assert.deepEqual([...adjusted], [1, -2, 0.5, 1.5])
    assert.deepEqual([...LOGITS], [2, -1, 0.5, 1.5])
    assert.equal(adjustLogits(LOGITS, {}, text([0])), LOGITS)
  })

  it('never draw suppressed tokens, nor those suppressed only at the start', () => {
    const settings = { temperature: 0, suppressIds: [0, 99], beginSuppressIds: [3] }
    const draw = (...args: Parameters<typeof text>) =>
      sampleToken(LOGITS, settings, createSeededRandom(1), text(...args))
    assert.equal(draw([1]), 2)
    assert.equal(draw([1, 2], 1), 3)
  })

  it('repeat no n-gram, and complete no bad word', () => {
    const banned = (settings: object, ...args: Parameters<typeof text>) =>
      [...adjustLogits(LOGITS, settings, text(...args))].flatMap((value, id) =>
        value === Number.NEGATIVE_INFINITY ? [id] : []
      )
    assert.deepEqual(banned({ noRepeatNgramSize: 2 }, [0, 1, 0, 3, 0]), [1, 3])
    assert.deepEqual(banned({ noRepeatNgramSize: 3 }, [0, 1, 2, 0, 1]), [2])
    assert.deepEqual(banned({ noRepeatNgramSize: 1 }, [0, 2]), [0, 2])
    assert.deepEqual(banned({ noRepeatNgramSize: 3 }, [0]), [])
    const badWordsIds = [[2], [0, 1], [3, 0, 1], [1, 1, 1, 1], [3]]
    assert.deepEqual(banned({ badWordsIds, stopIds: [3] }, [0]), [1, 2])
    assert.deepEqual(banned({ badWordsIds, stopIds: [3] }, [1]), [2])
    assert.deepEqual(banned({ badWordsIds }, [1]), [2, 3])
    // Tokens that end the text, until it is long enough.
    const short = { stopIds: [1], minTokens: 2, minLength: 2 }
    assert.deepEqual(banned(short, [0, 0, 0], 2), [1])
    assert.deepEqual(banned(short, [0, 0, 0, 0], 2), [])
    assert.deepEqual(banned({ stopIds: [1], minLength: 3 }, [0, 0]), [1])
    assert.deepEqual(banned({ stopIds: [1], minLength: 3 }, [0, 0, 0]), [])
  })

  it('min-p keeps tokens with at least that share of the highest probability', () => {
    const drawn = (minP: number) =>
      new Set(
        Array.from({ length: 400 }, (_, seed) => sampleToken(LOGITS, { minP }, createSeededRandom(seed)))
      )
    // Shares of the likeliest: 1, 0.05, 0.22, 0.61.
    assert.deepEqual([...drawn(0.5)].sort(), [0, 3])
    assert.deepEqual([...drawn(0.2)].sort(), [0, 2, 3])
    assert.equal(drawn(0).size, 4)
  })
})
