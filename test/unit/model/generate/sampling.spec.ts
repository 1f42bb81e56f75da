import assert from 'node:assert/strict'
import { createSeededRandom, type SamplingSettings, sampleToken } from '../../../../src/model/index.ts'

const LOGITS = Float32Array.from([0.4, 0.3, 0.2, 0.1], Math.log)

function frequencies(settings: SamplingSettings, draws = 20_000): number[] {
  const random = createSeededRandom(1)
  const counts = [0, 0, 0, 0]
  for (let draw = 0; draw < draws; draw++) counts[sampleToken(LOGITS, settings, random)]!++
  return counts.map((count) => count / draws)
}

function assertNear(actual: number[], expected: number[]): void {
  for (const [index, share] of expected.entries()) {
    if (share === 0) assert.equal(actual[index], 0)
    else assert.ok(Math.abs(actual[index]! - share) < 0.02, `${actual} instead of ${expected}`)
  }
}

describe('sampling', () => {
  it('draws tokens by their probability', () => assertNear(frequencies({}), [0.4, 0.3, 0.2, 0.1]))
  it('sharpens the distribution at temperatures below 1', () =>
    assertNear(frequencies({ temperature: 0.5 }), [16 / 30, 9 / 30, 4 / 30, 1 / 30]))
  it('top-k keeps the k most likely tokens', () => assertNear(frequencies({ topK: 2 }), [4 / 7, 3 / 7, 0, 0]))
  it('top-p keeps the most likely tokens that reach p', () =>
    assertNear(frequencies({ topP: 0.65 }), [4 / 7, 3 / 7, 0, 0]))
  it('applies top-p to the probability of the top k', () =>
    assertNear(frequencies({ topK: 3, topP: 0.4 }), [1, 0, 0, 0]))
  it('keeps tied logits at the cutoff in the order of their ids', () => {
    const random = createSeededRandom(2)
    const drawn = Array.from({ length: 200 }, () =>
      sampleToken(Float32Array.of(1, 0, 0, 0), { topK: 2 }, random)
    )
    assert.deepEqual([...new Set(drawn)].sort(), [0, 1])
  })
  it('always keeps the most likely token', () => assertNear(frequencies({ topP: 0 }, 10), [1, 0, 0, 0]))
  it('refuses to choose where no token is left', () => {
    const suppressIds = [0, 1, 2, 3]
    for (const temperature of [0, 1])
      assert.throws(
        () => sampleToken(LOGITS, { temperature, suppressIds }, createSeededRandom(1)),
        /no token is left to choose from: .*suppress_tokens/
      )
  })
  it('is greedy at temperature 0', () => {
    assert.equal(sampleToken(Float32Array.of(-3, 5, 5, 1), { temperature: 0 }, createSeededRandom(1)), 1)
  })
})
