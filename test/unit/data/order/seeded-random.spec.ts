import assert from 'node:assert/strict'
import fc from 'fast-check'
import { xoshiro128StarStar } from '../../../../src/data/order/seeded-random.ts'
import { createSeededRandom } from '../../../../src/model/index.ts'

describe('seeded random numbers', () => {
  it('match a wide-integer reference of xoshiro128**', () => {
    const mask = 0xffffffffn
    const rotate = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask
    const word = fc.integer({ min: 1, max: 0xffffffff })
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), (words) => {
        const next = xoshiro128StarStar(Uint32Array.from(words))
        const s = words.map(BigInt) as [bigint, bigint, bigint, bigint]
        for (let count = 0; count < 10; count++) {
          assert.equal(BigInt(next()), (rotate((s[1] * 5n) & mask, 7n) * 9n) & mask)
          const shifted = (s[1] << 9n) & mask
          s[2] ^= s[0]
          s[3] ^= s[1]
          s[1] ^= s[2]
          s[0] ^= s[3]
          s[2] ^= shifted
          s[3] = rotate(s[3], 11n)
        }
      })
    )
    assert.equal(xoshiro128StarStar(Uint32Array.of(1, 2, 3, 4))(), 11_520)
  })

  it('depend on the whole seed', () => {
    const first = (seed: number | Uint8Array): number => createSeededRandom(seed).nextUint32()
    const seeds = [
      0,
      1,
      2,
      2 ** 32,
      2 ** 33,
      new Uint8Array(0),
      new Uint8Array(1),
      new Uint8Array(4),
      Uint8Array.of(0, 0, 0, 0, 1)
    ]
    assert.equal(new Set(seeds.map(first)).size, seeds.length)
    assert.equal(first(42), first(42))
  })

  it('have the moments of their distributions', () => {
    const count = 100_000
    const moments = (draw: () => number): number[] => {
      const values = Array.from({ length: count }, draw)
      const mean = values.reduce((a, b) => a + b, 0) / count
      return [1, 2, 4].map((power) =>
        power === 1 ? mean : values.reduce((sum, value) => sum + (value - mean) ** power, 0) / count
      )
    }
    const { uniform, normal } = createSeededRandom(9)
    const near = (actual: number[], expected: number[]): void => {
      for (const [index, value] of expected.entries())
        assert.ok(Math.abs(actual[index]! - value) < 0.08, `${actual}`)
    }
    near(moments(uniform), [1 / 2, 1 / 12, 1 / 80])
    near(moments(normal), [0, 1, 3])
  })
})
