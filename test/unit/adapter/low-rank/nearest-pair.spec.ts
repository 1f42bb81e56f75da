import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nearestPair } from '../../../../src/adapter/low-rank/nearest-pair.ts'
import { AdapterError } from '../../../../src/adapter/pair/adapter-error.ts'
import type { LoraPair } from '../../../../src/adapter/pair/lora-adapter.ts'
import type { Tensor } from '../../../../src/formats/tensor.ts'
import { float32Array, ordinaryFloat, pairOf } from '../arbitraries.ts'

const shape = { module: 'm', inFeatures: 24, outFeatures: 18 }
const SIZE = shape.inFeatures * shape.outFeatures
const weights = float32Array(SIZE, ordinaryFloat).map(
  (data): Tensor => ({
    shape: [shape.outFeatures, shape.inFeatures],
    data
  })
)

/** B·A, scale 1, in float64. */
function product({ rank, inFeatures, outFeatures, A, B }: LoraPair): Float64Array {
  const whole = new Float64Array(inFeatures * outFeatures)
  for (let i = 0; i < outFeatures; i++)
    for (let k = 0; k < rank; k++)
      for (let j = 0; j < inFeatures; j++)
        whole[i * inFeatures + j]! += B[i * rank + k]! * A[k * inFeatures + j]!
  return whole
}

const square = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value * value, 0)

describe('the nearest low-rank pair to a change of weights', () => {
  it('reports its error, which never exceeds the change itself', () => {
    fc.assert(
      fc.property(weights, weights, fc.integer({ min: 1, max: 40 }), (before, after, rank) => {
        const { pair, whole, lost } = nearestPair('m', before, after, rank)
        assert.ok(pair.rank === Math.min(rank, 18) && pair.alpha === pair.rank)
        const made = product(pair)
        const change = Float64Array.from(after.data, (value, at) => value - before.data[at]!)
        assert.ok(Math.abs(square(change) - whole) <= 1e-9 * whole)
        const missed = square(change.map((value, at) => value - made[at]!))
        assert.ok(Math.abs(missed - lost) <= 1e-5 * whole + 1e-9)
        assert.ok(lost <= whole)
      }),
      { numRuns: 40 }
    )
  })

  it('recovers a change of that rank exactly', () => {
    fc.assert(
      fc.property(weights, pairOf(shape, ordinaryFloat), (before, added) => {
        const delta = product(added)
        const data = before.data.map((value, at) => value + delta[at]!)
        const { whole, lost } = nearestPair('m', before, { ...before, data }, 6)
        // Weights are float32: the sum was rounded.
        assert.ok(lost <= 1e-9 * (square(before.data) + whole) + 1e-9)
      }),
      { numRuns: 40 }
    )
  })

  it('refuses weights of a different shape', () => {
    const [one, other] = [3, 4].map((rows) => ({ shape: [rows, 2], data: new Float32Array(2 * rows) }))
    assert.throws(() => nearestPair('m', one!, other!, 1), AdapterError)
  })
})
