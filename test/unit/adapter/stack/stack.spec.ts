import assert from 'node:assert/strict'
import fc from 'fast-check'
import { factorNorm } from '../../../../src/adapter/norm/factor-bounds.ts'
import { updateNorm } from '../../../../src/adapter/norm/norm.ts'
import type { LoraPair } from '../../../../src/adapter/pair/lora-adapter.ts'
import { loraScale } from '../../../../src/adapter/pair/lora-scale.ts'
import { medianNorm } from '../../../../src/adapter/stack/clip.ts'
import { stackAdapters } from '../../../../src/adapter/stack/stack.ts'
import { cappedSamples, shares as sharesOf } from '../../../../src/adapter/stack/weights.ts'
import { stackDigest } from '../../../../src/formats/digest/tensors-digest.ts'
import { pairFault } from '../../../../src/node/workers/builder/validate-shards.ts'
import { bitsOf, cut } from '../arbitraries.ts'

/** s · B · A in float64, [out, in]. */
function product({ rank, inFeatures, outFeatures, A, B }: LoraPair, scale: number): Float64Array {
  const result = new Float64Array(outFeatures * inFeatures)
  for (let i = 0; i < outFeatures; i++)
    for (let j = 0; j < inFeatures; j++)
      for (let k = 0; k < rank; k++)
        result[i * inFeatures + j]! += scale * B[i * rank + k]! * A[k * inFeatures + j]!
  return result
}

function pair(module: string, rank: number, alpha: number, a: number[], b: number[]): LoraPair {
  return {
    module,
    rank,
    alpha,
    inFeatures: a.length / rank,
    outFeatures: b.length / rank,
    A: Float32Array.from(a),
    B: Float32Array.from(b)
  }
}

describe('the cap on samples', () => {
  it('is twice the lower median', () => {
    assert.deepEqual(cappedSamples([7]), [7])
    assert.deepEqual(cappedSamples([1, 100]), [1, 2])
    assert.deepEqual(cappedSamples([100, 1, 10]), [20, 1, 10])
    assert.deepEqual(cappedSamples([4, 1000, 3, 1000]), [4, 8, 3, 8])
    assert.deepEqual(cappedSamples([9, 10]), [9, 10])
  })

  it('is one and a half times that in a clipped stack, and the lower median in a cut of four', () => {
    assert.deepEqual(cappedSamples([4, 1000, 3, 1000], 'median'), [4, 4, 3, 4])
    assert.deepEqual(cappedSamples([5, 1000, 3, 1000, 7], 'median'), [5, 10, 3, 10, 7])
    assert.deepEqual(cappedSamples([1, 1, 1, 9, 9], 'median'), [1, 1, 1, 1, 1])
  })

  it('refuses counts that are not positive integers', () => {
    for (const samples of [[], [0], [-1], [1.5], [Number.NaN], [2 ** 53]]) {
      assert.throws(() => cappedSamples(samples), /median|must be a positive integer/)
    }
  })

  it('makes shares that sum to 1, each a whole number over their sum', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1, maxLength: 20 }), (samples) => {
        const capped = cappedSamples(samples)
        const total = capped.reduce((sum, n) => sum + n)
        const shares = sharesOf(cappedSamples(samples))
        assert.deepEqual(
          shares,
          capped.map((n) => n / total)
        )
        assert(Math.abs(shares.reduce((sum, p) => sum + p) - 1) < 1e-12)
      })
    )
  })
})

describe('the FLoRA stack', () => {
  it('gives the same bits in any order of members', () => {
    fc.assert(
      fc.property(
        cut.chain(({ members }) =>
          fc.tuple(
            fc.constant(members),
            fc.shuffledSubarray(members, { minLength: members.length, maxLength: members.length })
          )
        ),
        ([members, shuffled]) => {
          assert.equal(
            stackDigest(stackAdapters(shuffled).tensors),
            stackDigest(stackAdapters(members).tensors)
          )
        }
      )
    )
  })

  it('clipped, limits each member to the median norm of its module, in any order', () => {
    fc.assert(
      fc.property(cut, ({ members }) => {
        const { adapter, tensors } = stackAdapters(members, { clip: 'median' })
        const backwards = stackAdapters([...members].reverse(), { clip: 'median' })
        assert.equal(stackDigest(backwards.tensors), stackDigest(tensors))
        for (const joined of adapter.pairs) {
          const given = members.flatMap(({ adapter: { pairs } }) =>
            pairs.filter(({ module }) => module === joined.module)
          )
          const median = medianNorm(given.map((each) => updateNorm(each)))
          const terms = given.reduce((sum, each) => sum + factorNorm(each), 0)
          // Shares sum to 1 at most, so the whole is no larger than what one member may bring.
          assert(updateNorm(joined) <= median * (1 + 1e-5) + 1e-6 * terms)
        }
      })
    )
  })

  it('clipped, equals the plain stack bit for bit when nobody exceeds the median and weights are equal', () => {
    const members = [1, 2, 3].map((author) => ({
      author: Uint8Array.of(author),
      samples: 5,
      adapter: { pairs: [pair('m', 1, 2, [1, 2], [author % 2 === 0 ? 0.5 : -0.5])] }
    }))
    const plain = stackDigest(stackAdapters(members).tensors)
    assert.equal(stackDigest(stackAdapters(members, { clip: 'median' }).tensors), plain)
  })

  it('clipped, is the same whether a poisoner sends ten medians or a thousand', () => {
    const of = (size: number) => {
      const members = [1, 1, 1, -size].map((b, author) => ({
        author: Uint8Array.of(author),
        samples: author === 3 ? 1000 : 10,
        adapter: { pairs: [pair('m', 1, 1, [1], [b])] }
      }))
      const { adapter } = stackAdapters(members, { clip: 'median' })
      const { A, B, rank } = adapter.pairs[0]!
      return Array.from({ length: rank }, (_, k) => A[k]! * B[k]!).reduce((sum, term) => sum + term)
    }
    for (const size of [1, 10, 1024]) assert(Math.abs(of(size) - 0.5) < 1e-6)
  })

  it('clipped, applies only the norm bound to an update that is alone in its module', () => {
    const members = [1, 2, 3, 4].map((author) => ({
      author: Uint8Array.of(author),
      samples: 10,
      adapter: {
        pairs: [pair('m', 1, 1, [1], [1]), ...(author === 4 ? [pair('n', 1, 1, [1], [1000])] : [])]
      }
    }))
    const { adapter } = stackAdapters(members, { clip: 'median' })
    const alone = adapter.pairs.find(({ module }) => module === 'n')!
    assert.equal(updateNorm(alone), 250)
    const bounded = pairFault(members[3]!.adapter.pairs[1]!, 10)
    assert.match(bounded!, /norm/)
  })

  it('has B·A equal to Σ p_k s_k B_k A_k to 1e-6 of its terms', () => {
    fc.assert(
      fc.property(cut, fc.boolean(), ({ members }, rsLora) => {
        const stack = stackAdapters(members, { rsLora })
        assert(stack.finite)
        const shares = sharesOf(cappedSamples(members.map(({ samples }) => samples)))
        for (const stacked of stack.adapter.pairs) {
          const got = product(stacked, 1)
          const expected = new Float64Array(got.length)
          const size = new Float64Array(got.length)
          let rank = 0
          for (const [k, { adapter }] of members.entries()) {
            const own = adapter.pairs.find(({ module }) => module === stacked.module)
            if (own === undefined) continue
            rank += own.rank
            const scale = shares[k]! * loraScale(own, rsLora)
            product(own, scale).forEach((value, i) => {
              expected[i]! += value
            })
            product({ ...own, A: own.A.map(Math.abs), B: own.B.map(Math.abs) }, scale).forEach((value, i) => {
              size[i]! += value
            })
          }
          assert.equal(stack.ranks.get(stacked.module), rank)
          // 1e-40: products of subnormals, which have fewer digits.
          got.forEach((value, i) => {
            assert(Math.abs(value - expected[i]!) <= 1e-6 * size[i]! + 1e-40)
          })
        }
      })
    )
  })

  it('preserves a single member of scale 1 bit for bit', () => {
    fc.assert(
      fc.property(cut, ({ members }) => {
        const { author, samples, adapter } = members[0]!
        const pairs = adapter.pairs.map((p) => ({ ...p, alpha: p.rank }))
        const stack = stackAdapters([{ author, samples, adapter: { pairs } }])
        for (const [i, { A, B }] of stack.adapter.pairs.entries()) {
          assert.deepEqual(bitsOf(A), bitsOf(pairs[i]!.A))
          assert.deepEqual(bitsOf(B), bitsOf(pairs[i]!.B))
        }
      })
    )
  })

  it('orders authors by unsigned bytes, folds the scale into A, and divides by the whole cut when a module is missing', () => {
    const high = {
      author: Uint8Array.of(0x80),
      samples: 3,
      adapter: { pairs: [pair('m', 1, 2, [5, 6], [7])] }
    }
    const low = {
      author: Uint8Array.of(0x7f, 0xff),
      samples: 3,
      adapter: { pairs: [pair('m', 2, 2, [1, 2, 3, 4], [8, 9]), pair('n', 1, 4, [1], [1])] }
    }
    const { adapter, tensors } = stackAdapters([high, low])
    assert.deepEqual([...tensors.get('base_model.model.m.lora_A.weight')!.data], [0.5, 1, 1.5, 2, 5, 6])
    assert.deepEqual([...tensors.get('base_model.model.m.lora_B.weight')!.data], [8, 9, 7])
    assert.deepEqual([...adapter.pairs[1]!.A], [2])
    assert.deepEqual(tensors.get('base_model.model.m.lora_A.weight')!.shape, [3, 2])
    assert.deepEqual(tensors.get('base_model.model.m.lora_B.weight')!.shape, [1, 3])
  })

  it('reports a coefficient or element that is not finite', () => {
    const member = (alpha: number, a: number) => ({
      author: Uint8Array.of(1),
      samples: 1,
      adapter: { pairs: [pair('m', 1, alpha, [a], [1])] }
    })
    assert(stackAdapters([member(1, 3e38)]).finite)
    assert(!stackAdapters([member(2, 3e38)]).finite)
    assert(!stackAdapters([member(1e39, 0)]).finite)
  })

  it('refuses a repeated author, an empty cut and shapes that differ', () => {
    const member = (author: number, b: number[]) => ({
      author: Uint8Array.of(author),
      samples: 1,
      adapter: { pairs: [pair('m', 1, 1, [1], b)] }
    })
    assert.throws(() => stackAdapters([]), /without members/)
    assert.throws(() => stackAdapters([member(1, [1]), member(1, [1])]), /01 is repeated in the cut/)
    assert.throws(
      () => stackAdapters([member(1, [1]), member(2, [1, 2])]),
      /m is 2 × 1 in one adapter, 1 × 1 in another/
    )
  })
})
