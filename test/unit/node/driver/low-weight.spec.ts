import assert from 'node:assert/strict'
import fc from 'fast-check'
import { lowWeight } from '../../../../src/node/driver/low-weight.ts'

const cutOf = (counts: readonly number[]) => ({
  cut: counts.map((samples, index) => ({
    peerId: `peer ${index}`,
    rank: 1,
    samples,
    weight: 1 / counts.length
  }))
})

describe('a member with a low weight', () => {
  it('has less than a quarter of the median, where data are counted', () => {
    assert.deepEqual(lowWeight(cutOf([12, 200, 180]), 'peer 0', {}), {
      count: 12,
      median: 180,
      unit: 'tokens'
    })
    assert.equal(lowWeight(cutOf([12, 200, 180]), 'peer 0', { weights: 'documents' })?.unit, 'documents')
    assert.equal(lowWeight(cutOf([45, 200, 180]), 'peer 0', {}), undefined)
    assert.equal(lowWeight(cutOf([12, 200, 180]), 'peer 1', {}), undefined)
    assert.equal(lowWeight(cutOf([12, 200, 180]), 'nobody in the cut', {}), undefined)
    assert.equal(lowWeight(cutOf([12, 200, 180]), 'peer 0', { weights: 'uniform' }), undefined)
  })

  it('is one of at most half of a cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 12 }),
        (counts) => {
          const low = counts.filter((_, index) => lowWeight(cutOf(counts), `peer ${index}`, {}) !== undefined)
          assert.ok(low.length <= counts.length / 2)
        }
      )
    )
  })
})
