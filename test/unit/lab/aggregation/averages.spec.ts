import assert from 'node:assert/strict'
import fc from 'fast-check'
import { aggregationError, fedit, ffa, flora, zeroPad } from '../../../../lab/aggregation/index.ts'
import type { LoraPair } from '../../../../src/adapter/pair/lora-adapter.ts'
import type { StackMember } from '../../../../src/adapter/stack/stack.ts'
import { bitsOf, cut } from '../../adapter/arbitraries.ts'
import { errorPerTerm } from './cut-norms.ts'

/** A rank-one or wider pair on module `m`. */
function pair(A: number[], B: number[], rank = 1, alpha = rank): LoraPair {
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

function member(author: number, one: LoraPair, samples = 1): StackMember {
  return { author: Uint8Array.of(author), samples, adapter: { pairs: [one] } }
}

/** The same cut with every member's rank reduced to the smallest of its module, as fedit requires. */
function oneRank(members: readonly StackMember[]): StackMember[] {
  return members.map((each) => ({
    ...each,
    adapter: {
      pairs: each.adapter.pairs.map((p) => ({
        ...p,
        rank: 1,
        A: p.A.slice(0, p.inFeatures),
        B: Float32Array.from({ length: p.outFeatures }, (_, i) => p.B[i * p.rank]!)
      }))
    }
  }))
}

/** The same cut with one A per module for all, the smaller ranks having its first rows. */
function sharedA(members: readonly StackMember[]): StackMember[] {
  const pairs = members.flatMap(({ adapter }) => adapter.pairs)
  return members.map((each) => ({
    ...each,
    adapter: {
      pairs: each.adapter.pairs.map((p) => {
        const widest = pairs
          .filter(({ module }) => module === p.module)
          .reduce((a, b) => (b.rank > a.rank ? b : a))
        return { ...p, A: widest.A.slice(0, p.rank * p.inFeatures) }
      })
    }
  }))
}

const RULES = [
  [flora, (members: StackMember[]) => members],
  [zeroPad, (members: StackMember[]) => members],
  [fedit, oneRank],
  [ffa, sharedA]
] as const

describe('every rule without a decomposition', () => {
  for (const [rule, prepared] of RULES) {
    it(`${rule.name} gives the same bits in any order of members`, () => {
      fc.assert(
        fc.property(cut, fc.infiniteStream(fc.nat()), ({ members }, keys) => {
          const given = prepared(members)
          const order = given.map((each) => [keys.next().value as number, each] as const)
          const shuffled = order.sort(([a], [b]) => a - b).map(([, each]) => each)
          const [one, other] = [rule.aggregate(given), rule.aggregate(shuffled)]
          assert.deepEqual([...one.tensors.keys()], [...other.tensors.keys()])
          for (const [key, { data }] of one.tensors)
            assert.deepEqual(bitsOf(data), bitsOf(other.tensors.get(key)!.data))
        })
      )
    })

    it(`${rule.name} returns a single member's update unchanged`, () => {
      fc.assert(
        fc.property(cut, ({ members }) => {
          const single = prepared(members.slice(0, 1))
          assert(errorPerTerm(rule.aggregate(single), single) <= 2e-7)
        })
      )
    })
  }

  it('flora and ffa are exact for any mix of ranks, modules, alphas and samples', () => {
    fc.assert(
      fc.property(cut, ({ members }) => {
        for (const [rule, given] of [
          [flora, members],
          [ffa, sharedA(members)]
        ] as const)
          assert(errorPerTerm(rule.aggregate(given), given) <= 2e-7)
      })
    )
  })
})

describe('averaging', () => {
  const members = [member(1, pair([1, 0], [1, 0])), member(2, pair([0, 1], [0, 1]))]

  it('adds cross terms that stacking does not have, and half of each update', () => {
    const { adapter } = fedit.aggregate(members)
    assert.deepEqual([...adapter.pairs[0]!.A], [0.5, 0.5])
    assert.deepEqual([...adapter.pairs[0]!.B], [0.5, 0.5])
    // ¼·ones against ½·identity: ‖¼(−1, 1; 1, −1)‖ / ‖½ I‖ = ½ / (1/√2).
    assert(Math.abs(aggregationError(fedit.aggregate(members), members) - Math.SQRT1_2) < 1e-12)
    assert.equal(aggregationError(flora.aggregate(members), members), 0)
  })

  it('weights by samples, equally, or as a charter fixes', () => {
    const given = [member(1, pair([4], [4]), 3), member(2, pair([8], [8]), 2)]
    const averages = (weights?: Parameters<typeof fedit.aggregate>[1]) =>
      [...fedit.aggregate(given, weights).adapter.pairs[0]!.A][0]
    assert.equal(averages(), Math.fround(0.6 * 4 + 0.4 * 8))
    assert.equal(averages({ weights: 'uniform' }), 6)
    const fixed = new Map([
      ['01', 1],
      ['02', 3]
    ])
    assert.equal(averages({ weights: fixed }), 7)
    assert.throws(() => averages({ weights: new Map([['01', 1]]) }), /no weight for author 02/)
    assert.throws(() => averages({ weights: fixed.set('02', 0.5) }), /must be a positive integer, got 0.5/)
  })

  it('divides A by the members that have the module, and B by the whole cut', () => {
    const lone = member(1, { ...pair([3], [5]), module: 'n' })
    const { adapter } = zeroPad.aggregate([...members.slice(0, 1), { ...lone, author: Uint8Array.of(9) }])
    const [m, n] = adapter.pairs
    assert.deepEqual([...m!.A, ...m!.B], [1, 0, 0.5, 0])
    assert.deepEqual([...n!.A, ...n!.B], [3, 2.5])
  })

  it('of mixed ranks pads with zeros, and a member continues from its part, in its own scale', () => {
    const small = pair([2], [4], 1, 2)
    const large = pair([6, 8], [3, 5], 2, 4)
    const given = [member(1, small), member(2, large)]
    assert.throws(() => fedit.aggregate(given), /ranks 1, 2, and fedit averages one rank/)
    const aggregate = zeroPad.aggregate(given)
    const [global] = aggregate.adapter.pairs
    assert.deepEqual([...global!.A], [4, 4])
    assert.deepEqual([...global!.B], [7, 5])
    const start = zeroPad.start(aggregate, { pairs: [small] })
    assert.deepEqual(start.adapter!.pairs, [{ ...small, A: Float32Array.of(4), B: Float32Array.of(3.5) }])
    assert.deepEqual(start.merge.pairs, [])
    const wider = zeroPad.start(aggregate, { pairs: [pair([0, 0, 0], [0, 0, 0], 3)] })
    assert.deepEqual([...wider.adapter!.pairs[0]!.B], [7, 5, 0])
    assert.deepEqual(
      [
        zeroPad.bytesDown(aggregate, { pairs: [small] }, given),
        flora.bytesDown(aggregate, { pairs: [] }, given)
      ],
      [8, 16]
    )
  })

  it('of B alone needs the same A for all', () => {
    assert.throws(() => ffa.aggregate(members), /m: A differs between members/)
    assert.deepEqual(ffa.trains, ['B'])
  })
})
