import assert from 'node:assert/strict'
import fc from 'fast-check'
import { updateNorm } from '../../../../src/adapter/norm/norm.ts'
import { clipToMedian, medianNorm } from '../../../../src/adapter/stack/clip.ts'
import { cut } from '../arbitraries.ts'

describe('clipping', () => {
  it('limits every module to its bound, and leaves smaller ones unchanged', () => {
    fc.assert(
      fc.property(cut, fc.double({ min: 0.01, max: 100, noNaN: true }), ({ members }, factor) => {
        const boundOf = (module: string) => {
          const pairs = members.flatMap(({ adapter }) => adapter.pairs)
          return (
            factor *
            medianNorm(pairs.filter((pair) => pair.module === module).map((pair) => updateNorm(pair)))
          )
        }
        for (const [index, { adapter }] of clipToMedian(members, factor).entries()) {
          for (const [i, pair] of adapter.pairs.entries()) {
            const before = members[index]!.adapter.pairs[i]!
            const bound = boundOf(pair.module)
            if (updateNorm(before) <= bound) assert.equal(pair, before)
            // Smaller factors may be subnormal and thus coarsely rounded.
            else if (bound >= 0.01) assert(Math.abs(updateNorm(pair) - bound) <= 1e-3 * bound)
          }
        }
      })
    )
  })

  it('by the median scales an outlier down to the others, in any order of members', () => {
    const member = (author: number, size: number) => ({
      author: Uint8Array.of(author),
      samples: 1,
      adapter: {
        pairs: [
          {
            module: 'm',
            rank: 1,
            alpha: 1,
            inFeatures: 1,
            outFeatures: 1,
            A: Float32Array.of(1),
            B: Float32Array.of(size)
          }
        ]
      }
    })
    const given = [member(1, 1), member(2, -1000), member(3, 2), member(4, 3)]
    const clipped = clipToMedian(given, 2)
    assert.deepEqual(
      clipped.map(({ adapter }) => adapter.pairs[0]!.B[0]),
      [1, -4, 2, 3]
    )
    assert.deepEqual(clipToMedian([...given].reverse(), 2), [...clipped].reverse())
  })

  it('takes the lower median of the norms that are not 0', () => {
    for (const [norms, median] of [
      [[], 0],
      [[0, 0], 0],
      [[0, 0, 0, 3], 3],
      [[4, 1, 3, 2], 2],
      [[5, 0, 1, 9], 5]
    ] as const)
      assert.equal(medianNorm(norms), median)
  })
})
