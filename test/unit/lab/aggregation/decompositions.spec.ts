import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  AGGREGATION_RULES,
  aggregationError,
  fedex,
  flexlora,
  flora,
  florist,
  nextStart,
  rankOfEnergy,
  roundBytes
} from '../../../../lab/aggregation/index.ts'
import { productSvd, tailEnergy } from '../../../../src/adapter/low-rank/product-svd.ts'
import { bitsOf, cut } from '../../adapter/arbitraries.ts'
import { errorPerTerm } from './cut-norms.ts'

const WHOLE = { energy: 1 }

describe('every rule with a residual or a decomposition', () => {
  for (const rule of [fedex, florist, flexlora]) {
    it(`${rule.name} gives the same bits in any order of members`, () => {
      fc.assert(
        fc.property(cut, ({ members }) => {
          const [one, other] = [rule.aggregate(members), rule.aggregate([...members].reverse())]
          assert.deepEqual([...one.tensors.keys()].sort(), [...other.tensors.keys()].sort())
          for (const [key, { data }] of one.tensors)
            assert.deepEqual(bitsOf(data), bitsOf(other.tensors.get(key)!.data))
        }),
        { numRuns: 50 }
      )
    })

    it(`${rule.name} returns a single member's update unchanged`, () => {
      fc.assert(
        fc.property(cut, ({ members }) => {
          const single = members.slice(0, 1)
          assert(errorPerTerm(rule.aggregate(single, WHOLE), single) <= 1e-6)
        })
      )
    })
  }

  it('fedex, and florist at full energy, are exact for any mix of ranks and modules', () => {
    fc.assert(
      fc.property(cut, ({ members }) => {
        for (const rule of [fedex, florist])
          assert(errorPerTerm(rule.aggregate(members, WHOLE), members) <= 1e-6)
      })
    )
  })

  it("florist's error is the energy it dropped, within the allowed share", () => {
    fc.assert(
      fc.property(cut, fc.double({ min: 0.05, max: 0.999, noNaN: true }), ({ members }, energy) => {
        const stack = flora.aggregate(members)
        const aggregate = florist.aggregate(members, { energy })
        let dropped = 0
        let whole = 0
        for (const pair of stack.adapter.pairs) {
          const { sigma } = productSvd(pair)
          const rank = aggregate.ranks.get(pair.module)!
          const tail = tailEnergy(sigma, rank)
          const sum = tailEnergy(sigma, 0)
          assert(tail <= (1 - energy) * sum * (1 + 1e-9) + 1e-24 * sum)
          if (rank > 1) assert(tailEnergy(sigma, rank - 1) > (1 - energy) * sum * (1 - 1e-9))
          dropped += tail
          whole += sum
        }
        const terms = errorPerTerm(aggregate, members)
        const relative = aggregationError(aggregate, members)
        const expected = whole === 0 ? 0 : Math.sqrt(dropped / whole)
        // If the terms of ΔW cancel, the error of float32 exceeds ΔW itself.
        assert(Math.abs(relative - expected) <= 1e-5 || terms <= 1e-6)
      })
    )
  })

  it('keeps the fewest singular values that reach the energy, and at least one', () => {
    const sigma = Float64Array.of(3, 2, 1, 1e-13)
    assert.deepEqual(
      [0.1, 0.64, 0.65, 0.92, 0.93, 1].map((energy) => rankOfEnergy(sigma, energy)),
      [1, 1, 2, 2, 3, 3]
    )
    assert.equal(rankOfEnergy(new Float64Array(3), 0.9), 1)
    assert.throws(() => florist.aggregate([], { energy: 0 }), /energy is 0/)
  })

  it('flexlora is the best approximation of the largest rank, truncated for each member to its own', () => {
    fc.assert(
      fc.property(cut, ({ members }) => {
        const aggregate = flexlora.aggregate(members)
        for (const { adapter } of members) {
          const start = flexlora.start(aggregate, adapter).adapter!
          for (const [i, pair] of start.pairs.entries()) {
            const own = adapter.pairs.find(({ module }) => module === pair.module)!
            assert.deepEqual([pair.rank, pair.alpha], [own.rank, own.alpha])
            const best = aggregate.adapter.pairs.find(({ module }) => module === pair.module)!
            assert.equal(best.rank >= pair.rank, true)
            assert.deepEqual(pair.A, best.A.slice(0, pair.A.length), `${i}`)
          }
        }
      }),
      { numRuns: 50 }
    )
  })
})

describe('the cost of a rule, and the next start', () => {
  const members = [1, 2, 3].map((author) => ({
    author: Uint8Array.of(author),
    samples: 1,
    adapter: {
      pairs: [
        {
          module: 'm',
          rank: 2,
          alpha: 4,
          inFeatures: 6,
          outFeatures: 4,
          A: Float32Array.from({ length: 12 }, (_, i) => ((author * (i + 3)) % 7) - 3),
          B: Float32Array.from({ length: 8 }, (_, i) => ((author * (i + 5)) % 5) - 2)
        }
      ]
    }
  }))

  it('counts bytes up and down', () => {
    const bytes = Object.fromEntries(
      [...AGGREGATION_RULES.values()].map((rule) => {
        const given =
          rule.name === 'ffa'
            ? members.map((m) => ({
                ...m,
                adapter: { pairs: m.adapter.pairs.map((p) => ({ ...p, A: members[0]!.adapter.pairs[0]!.A })) }
              }))
            : members
        return [rule.name, roundBytes(rule, given, rule.aggregate(given, { energy: 1e-3 }))]
      })
    )
    const pair = 4 * 2 * (6 + 4)
    const up = 3 * pair
    assert.deepEqual(bytes, {
      flora: { up, down: 3 * 3 * pair },
      fedit: { up, down: up },
      'zero-pad': { up, down: up },
      ffa: { up: 3 * 4 * 8, down: 3 * 4 * 8 },
      // The residual, 4 × 6, is smaller than the three pairs it is derived from.
      fedex: { up, down: 3 * (pair + 4 * 24) },
      florist: { up, down: 3 * (pair / 2) },
      flexlora: { up, down: up }
    })
  })

  it('starts fresh, along the singular vectors, or along the trained factors, all from the same model', () => {
    const aggregate = flora.aggregate(members)
    const own = members[1]!.adapter
    assert.deepEqual(nextStart(flora, aggregate, own), nextStart(flora, aggregate, own, 'fresh'))
    assert.equal(nextStart(flora, aggregate, own, 'fresh').adapter, undefined)
    const carried = nextStart(flora, aggregate, own, 'carry')
    assert.deepEqual(carried.adapter!.pairs[0]!.A, own.pairs[0]!.A)
    const turned = nextStart(flora, aggregate, own, 'svd')
    const [A] = [turned.adapter!.pairs[0]!.A]
    const gram = (k: number, l: number) =>
      A.subarray(6 * k, 6 * k + 6).reduce((s, x, j) => s + x * A[6 * l + j]!, 0)
    for (const [k, l, value] of [
      [0, 0, 1 / 3],
      [1, 1, 1 / 3],
      [0, 1, 0]
    ] as const)
      assert(Math.abs(gram(k, l) - value) < 1e-6)
    for (const start of [carried, turned]) {
      assert(start.adapter!.pairs[0]!.B.every((value) => value === 0))
      assert.equal(start.merge, aggregate.adapter)
    }
    const continued = nextStart(flexlora, flexlora.aggregate(members), own)
    assert.deepEqual(continued.merge.pairs, [])
    const beyond = {
      pairs: [{ ...own.pairs[0]!, rank: 8, A: new Float32Array(48).fill(7), B: new Float32Array(32) }]
    }
    const wide = nextStart(flora, aggregate, beyond, 'svd').adapter!.pairs[0]!
    assert.deepEqual(wide.A.slice(-6), new Float32Array(6).fill(7))
  })
})
