import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  add,
  broadcastShapes,
  elementCount,
  expand,
  normaliseAxis,
  sameShape
} from '../../../../src/model/graph/index.ts'
import { assertClose } from '../close.ts'
import { evaluateWithGradients } from './evaluate-graph.ts'

/** A shape, and one that broadcasts to it. */
const shapePair = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean()), { minLength: 1, maxLength: 4 })
  .chain((axes) => fc.tuple(fc.constant(axes), fc.nat(axes.length)))
  .map(([axes, dropped]) => ({
    large: axes.map(([extent]) => extent),
    small: axes.map(([extent, repeated]) => (repeated ? 1 : extent)).slice(dropped)
  }))

describe('shapes', () => {
  it('broadcast to the larger one in either order', () => {
    fc.assert(
      fc.property(shapePair, ({ large, small }) => {
        assert.deepEqual(broadcastShapes(large, small), large)
        assert.deepEqual(broadcastShapes(small, large), large)
        assert.ok(sameShape(broadcastShapes(large, large), large))
      })
    )
    assert.throws(() => broadcastShapes([2, 3], [2]), /\[2,3\] and \[2\].*3 against 2/)
  })

  it('the gradient of a broadcast value is summed over its copies', async () => {
    await fc.assert(
      fc.asyncProperty(shapePair, async ({ large, small }) => {
        const values = [large, small].map((shape) => new Float32Array(elementCount(shape)).fill(1))
        const build = (copies: boolean) =>
          evaluateWithGradients([large, small], values, (a, b) => add(a!, copies ? expand(b!, large) : b!))
        const [broadcast, expanded] = [await build(false), await build(true)]
        for (const { gradients, weights } of [broadcast, expanded]) {
          assert.deepEqual(gradients[0], weights)
          const sums = new Float64Array(elementCount(small))
          weights.forEach((weight, index) => {
            let rest = index
            let place = 0
            let stride = 1
            for (let axis = large.length - 1; axis >= 0; axis--) {
              const extent = small[axis - large.length + small.length] ?? 1
              place += ((rest % large[axis]!) % extent) * stride
              stride *= extent
              rest = Math.floor(rest / large[axis]!)
            }
            sums[place] = sums[place]! + weight
          })
          assertClose(gradients[1]!, sums, 1e-5, 'sum', 1)
        }
      }),
      { numRuns: 30 }
    )
  })

  it('count axes from either end', () => {
    assert.deepEqual(
      [0, 2, -1, -3].map((axis) => normaliseAxis(axis, 3)),
      [0, 2, 2, 0]
    )
    for (const axis of [3, -4, 0.5]) assert.throws(() => normaliseAxis(axis, 3), /does not exist/)
  })
})
