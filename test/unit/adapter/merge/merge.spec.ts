import assert from 'node:assert/strict'
import fc from 'fast-check'
import { mergeReference } from '../../../../src/adapter/kernel/merge-reference.ts'
import { mergeAdapter, mergePair, mergePairInPlace } from '../../../../src/adapter/merge/merge.ts'
import { bitsOf, float32Array, ordinaryFloat, pairOf } from '../arbitraries.ts'

it('the merge does not modify base or stack', () => {
  fc.assert(
    fc.property(
      pairOf({ module: 'm', inFeatures: 5, outFeatures: 3 }, ordinaryFloat).chain((pair) =>
        fc.tuple(fc.constant(pair), float32Array(15, ordinaryFloat))
      ),
      ([pair, weight]) => {
        const stacked = { ...pair, alpha: pair.rank }
        const before = [bitsOf(weight), bitsOf(pair.A), bitsOf(pair.B)]
        const expected = bitsOf(mergeReference(weight, pair.B, pair.A, pair.rank))
        assert.deepEqual(bitsOf(mergePair(weight, stacked)), expected)
        assert.deepEqual([bitsOf(weight), bitsOf(pair.A), bitsOf(pair.B)], before)
        mergePairInPlace(weight, stacked)
        assert.deepEqual(bitsOf(weight), expected)
      }
    )
  )
})

describe('the merge', () => {
  const one = { module: 'm', rank: 1, alpha: 1, inFeatures: 1, outFeatures: 1, B: Float32Array.of(1) }

  it('rounds the product before it adds (no fused multiply-add)', () => {
    const a = 1 + 2 ** -23
    const pair = { ...one, rank: 2, alpha: 2, A: Float32Array.of(-1, a), B: Float32Array.of(1, 1 - 2 ** -24) }
    // Fused, the second step would give 2^-24 − 2^-47; rounded first, the product is exactly 1.
    assert.deepEqual([...mergePair(Float32Array.of(0), pair)], [0])
  })

  it('reports an overflowing result', () => {
    const modules = new Map([['m', { shape: [1, 1], data: Float32Array.of(3e38) }]])
    assert(mergeAdapter(modules, { pairs: [{ ...one, A: Float32Array.of(1) }] }).finite)
    assert(!mergeAdapter(modules, { pairs: [{ ...one, A: Float32Array.of(1e38) }] }).finite)
  })

  it('passes untouched modules through, and refuses incompatible ones', () => {
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
