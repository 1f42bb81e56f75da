import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { LoraPair } from '../../../src/adapter/lora-adapter.ts'
import { mergeAdapter, mergePair } from '../../../src/adapter/merge.ts'
import { bitsOf, finiteFloat, float32Array, ordinaryFloat, pairOf } from './arbitraries.ts'

/** The merge's order written out element by element (DESIGN §4). */
function mergeReference(
  weight: Float32Array,
  { rank, inFeatures, outFeatures, A, B }: LoraPair
): Float32Array {
  const merged = new Float32Array(weight.length)
  for (let i = 0; i < outFeatures; i++) {
    for (let j = 0; j < inFeatures; j++) {
      let sum = 0
      for (let k = 0; k < rank; k++) {
        const term = Math.fround(B[i * rank + k]! * A[k * inFeatures + j]!)
        sum = Math.fround(sum + term)
      }
      merged[i * inFeatures + j] = Math.fround(weight[i * inFeatures + j]! + sum)
    }
  }
  return merged
}

const shape = fc.record({
  module: fc.constant('m'),
  inFeatures: fc.integer({ min: 1, max: 9 }),
  outFeatures: fc.integer({ min: 1, max: 5 })
})

/** Numbers whose products are subnormal, where a flush to zero or a fused multiply-add would show. */
const tinyFloat = fc.float({ min: Math.fround(-(2 ** -60)), max: Math.fround(2 ** -60), noNaN: true })

for (const [name, element] of Object.entries({
  ordinary: ordinaryFloat,
  finite: finiteFloat,
  tiny: tinyFloat
})) {
  it(`the merge has the bits of the reference on ${name} values`, () => {
    fc.assert(
      fc.property(
        shape.chain((s) => fc.tuple(pairOf(s, element), float32Array(s.inFeatures * s.outFeatures, element))),
        ([pair, weight]) => {
          const stacked = { ...pair, alpha: pair.rank }
          const before = bitsOf(weight)
          assert.deepEqual(bitsOf(mergePair(weight, stacked)), bitsOf(mergeReference(weight, stacked)))
          assert.deepEqual(bitsOf(weight), before)
        }
      ),
      { numRuns: 500 }
    )
  })
}

describe('the merge', () => {
  const one = { module: 'm', rank: 1, alpha: 1, inFeatures: 1, outFeatures: 1, B: Float32Array.of(1) }

  it('rounds the product before it adds (no fused multiply-add)', () => {
    const a = 1 + 2 ** -23
    const pair = { ...one, rank: 2, alpha: 2, A: Float32Array.of(-1, a), B: Float32Array.of(1, 1 - 2 ** -24) }
    // Fused, the second step would give 2^-24 − 2^-47; rounded first, the product is exactly 1.
    assert.deepEqual([...mergePair(Float32Array.of(0), pair)], [0])
  })

  it('says when the result overflows', () => {
    const modules = new Map([['m', { shape: [1, 1], data: Float32Array.of(3e38) }]])
    assert(mergeAdapter(modules, { pairs: [{ ...one, A: Float32Array.of(1) }] }).finite)
    assert(!mergeAdapter(modules, { pairs: [{ ...one, A: Float32Array.of(1e38) }] }).finite)
  })

  it('passes modules through that the adapter does not touch, and refuses what does not fit', () => {
    const other = { shape: [1], data: Float32Array.of(5) }
    const modules = new Map([
      ['m', { shape: [1, 1], data: Float32Array.of(1) }],
      ['other', other]
    ])
    const pair = { ...one, A: Float32Array.of(2) }
    const { modules: merged } = mergeAdapter(modules, { pairs: [pair] })
    assert.equal(merged.get('other'), other)
    assert.deepEqual([...merged.get('m')!.data], [3])
    assert.throws(() => mergeAdapter(modules, { pairs: [{ ...pair, module: 'x' }] }), /no module x/)
    assert.throws(
      () => mergeAdapter(modules, { pairs: [{ ...pair, module: 'other' }] }),
      /other is \[1\] in the base/
    )
    assert.throws(() => mergeAdapter(modules, { pairs: [{ ...pair, alpha: 2 }] }), /scale folded in/)
  })
})
