import assert from 'node:assert/strict'
import fc from 'fast-check'
import { limitRank } from '../../../../src/adapter/low-rank/limit-rank.ts'
import { updateNorm } from '../../../../src/adapter/norm/norm.ts'
import { AdapterError } from '../../../../src/adapter/pair/adapter-error.ts'
import type { LoraAdapter } from '../../../../src/adapter/pair/lora-adapter.ts'
import { joinPairs } from '../../../../src/adapter/stack/join-pairs.ts'
import { ordinaryFloat, pairOf } from '../arbitraries.ts'

const shapes = [
  { module: 'a', inFeatures: 7, outFeatures: 5 },
  { module: 'b', inFeatures: 4, outFeatures: 6 }
]
/** Stacks: alpha = rank. */
const stacks: fc.Arbitrary<LoraAdapter> = fc
  .tuple(...shapes.map((shape) => pairOf(shape, ordinaryFloat)))
  .map((pairs) => ({ pairs: pairs.map((pair) => ({ ...pair, alpha: pair.rank })) }))

/** ‖ΔW − ΔW'‖ and ‖ΔW‖ over all modules. */
function distance(adapter: LoraAdapter, other: LoraAdapter): { missed: number; whole: number } {
  let [missed, whole] = [0, 0]
  for (const [index, pair] of adapter.pairs.entries()) {
    const parts = [
      { pair, coefficient: 1 },
      { pair: other.pairs[index]!, coefficient: -1 }
    ]
    missed += updateNorm(joinPairs(parts)) ** 2
    whole += updateNorm(pair) ** 2
  }
  return { missed: Math.sqrt(missed), whole: Math.sqrt(whole) }
}

describe('limiting the rank of an adapter', () => {
  it('reports the relative error', () => {
    fc.assert(
      fc.property(stacks, fc.integer({ min: 1, max: 6 }), (adapter, rank) => {
        const limited = limitRank(adapter, rank)
        assert.ok(limited.adapter.pairs.every((pair) => pair.rank <= rank && pair.alpha === pair.rank))
        const { missed, whole } = distance(adapter, limited.adapter)
        assert.ok(Math.abs(missed - limited.error * whole) <= 1e-5 * whole + 1e-12)
      })
    )
  })

  it('leaves modules of lower rank unchanged', () => {
    fc.assert(
      fc.property(stacks, (adapter) => {
        const { adapter: limited } = limitRank(adapter, 6)
        for (const [index, pair] of adapter.pairs.entries())
          if (pair.rank <= Math.min(pair.inFeatures, pair.outFeatures))
            assert.deepEqual(limited.pairs[index], pair)
      })
    )
  })

  it('reduces a rank above that of the weights without loss', () => {
    fc.assert(
      fc.property(stacks, (adapter) => {
        const { adapter: limited, error } = limitRank(adapter)
        for (const { rank, inFeatures, outFeatures } of limited.pairs)
          assert.ok(rank <= Math.min(inFeatures, outFeatures))
        assert.ok(error < 1e-7)
        const { missed, whole } = distance(adapter, limited)
        assert.ok(missed <= 1e-6 * whole + 1e-12)
      })
    )
  })

  it('preserves a product whose rank is below that of its factors', () => {
    fc.assert(
      fc.property(pairOf(shapes[0]!, ordinaryFloat), (pair) => {
        const stack = { ...pair, alpha: pair.rank }
        const twice = joinPairs([
          { pair: stack, coefficient: 1 },
          { pair: stack, coefficient: 0.5 }
        ])
        assert.ok(limitRank({ pairs: [twice] }, pair.rank).error < 1e-6)
      })
    )
  })

  it('refuses a scale that is not folded in, and an invalid rank', () => {
    const [adapter] = fc.sample(stacks, { numRuns: 1, seed: 1 })
    const scaled = { pairs: adapter!.pairs.map((pair) => ({ ...pair, alpha: pair.rank + 1 })) }
    assert.throws(() => limitRank(scaled, 2), /fold the scale/)
    assert.throws(() => limitRank(adapter!, 0), AdapterError)
  })
})
