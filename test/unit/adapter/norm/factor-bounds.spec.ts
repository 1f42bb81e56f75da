import assert from 'node:assert/strict'
import fc from 'fast-check'
import { factorFault, factorNorm, factorNormBound } from '../../../../src/adapter/norm/factor-bounds.ts'
import { updateNorm } from '../../../../src/adapter/norm/norm.ts'
import type { LoraPair } from '../../../../src/adapter/pair/lora-adapter.ts'
import { createSeededRandom } from '../../../../src/data/order/seeded-random.ts'
import { ordinaryFloat, pairOf } from '../arbitraries.ts'

function pairWith(A: readonly number[], B: readonly number[], rank = 1, alpha = rank): LoraPair {
  return {
    module: 'm',
    rank,
    alpha,
    inFeatures: A.length / rank,
    outFeatures: B.length / rank,
    A: Float32Array.from(A),
    B: Float32Array.from(B)
  }
}

describe('the bound on factors', () => {
  it('is never below the norm of the product', () => {
    fc.assert(
      fc.property(pairOf({ module: 'm', inFeatures: 5, outFeatures: 4 }, ordinaryFloat), (pair) => {
        assert(updateNorm(pair) <= factorNorm(pair) * (1 + 1e-12))
      })
    )
  })

  it('accepts evenly distributed rows, and an update as large as the bound, at every rank', () => {
    const random = createSeededRandom(1)
    for (const rank of [1, 2, 8, 32, 64]) {
      const drawn = pairWith(
        Array.from({ length: rank * 96 }, () => random.normal()),
        Array.from({ length: rank * 64 }, () => random.normal()),
        rank
      )
      const norm = updateNorm(drawn)
      assert(factorNorm(drawn) < 0.35 * factorNormBound(rank, norm), `rank ${rank}`)
      assert.equal(factorFault(drawn, norm), undefined)
    }
  })

  it('refuses, by module, factors that cancel', () => {
    const pair = pairWith([2 ** 40, 2 ** 40], [1, -1], 2)
    assert.equal(updateNorm(pair), 0)
    assert.match(factorFault(pair, 1e3)!, /^m: the factors cancel or are too large: .* above 5656\.8/)
  })

  it('refuses elements and scales that overflow float32 products, whatever the bound', () => {
    for (const [pair, reason] of [
      [pairWith([3e36], [0], 1, 512), /^m: an element .* as large as 1\.5\d*e\+39/],
      [pairWith([0], [3e36]), /^m: an element .* as large as 3\.0\d*e\+36/],
      [pairWith([1e-30], [0], 1, 1e39), /^m: the scale 1e\+39 is not/],
      [pairWith([1e19], [0], 1, 1e-30), /^m: the scale 1e-30 is not/],
      [pairWith([Number.NaN], [0]), /^m: an element .* as large as NaN/],
      [pairWith([2 ** 60], [2 ** 60]), /^m: the factors cancel or are too large/]
    ] as const)
      assert.match(factorFault(pair, Number.MAX_VALUE)!, reason)
  })
})
