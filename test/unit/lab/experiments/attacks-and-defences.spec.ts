import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ATTACK_SCALE, flipLabels, poisonAdapter } from '../../../../lab/experiments/attacks.ts'
import { medianNorms, refuseBeyond } from '../../../../lab/experiments/defences.ts'
import { type StackMember, updateNorm } from '../../../../src/adapter/index.ts'
import { ordinaryFloat, pairOf } from '../../adapter/arbitraries.ts'

const pairs = pairOf({ module: 'm', inFeatures: 4, outFeatures: 3 }, ordinaryFloat).filter(
  (pair) => updateNorm(pair) > 1e-3
)

function member(index: number, factor: number): StackMember {
  const pair = { module: 'm', rank: 1, alpha: 1, inFeatures: 1, outFeatures: 1 }
  const adapter = { pairs: [{ ...pair, A: Float32Array.of(1), B: Float32Array.of(factor) }] }
  return { author: Uint8Array.of(index), samples: 1, adapter }
}

describe('a poisoned member', () => {
  it('sends a scaled update or noise of the stated norm, or the negated update', () => {
    fc.assert(
      fc.property(pairs, fc.integer({ min: 0, max: 1000 }), (pair, seed) => {
        const wanted = ATTACK_SCALE * updateNorm(pair)
        for (const attack of ['scaled', 'random'] as const) {
          const [sent] = poisonAdapter({ pairs: [pair] }, attack, seed).pairs
          // The terms of BA may cancel: float32 holds the norm to a part of what they are without their signs.
          const terms = updateNorm({ ...sent!, A: sent!.A.map(Math.abs), B: sent!.B.map(Math.abs) })
          assert.ok(Math.abs(updateNorm(sent!) - wanted) < 1e-6 * (wanted + terms))
        }
        const [opposite] = poisonAdapter({ pairs: [pair] }, 'sign-flipped', seed).pairs
        assert.deepEqual(
          opposite!.B,
          pair.B.map((element) => -element)
        )
      })
    )
  })

  it('trains on targets from the other end of the vocabulary', () => {
    const batch = {
      batchSize: 1,
      sequenceLength: 3,
      inputIds: Int32Array.of(0, 1, 2),
      targetIds: Int32Array.of(1, 2, 9),
      targetWeights: new Float32Array(3)
    }
    const flipped = flipLabels(batch, 10)
    assert.deepEqual([...flipped.targetIds], [8, 7, 0])
    assert.equal(flipped.inputIds, batch.inputIds)
  })

  it('is refused above ten medians of the previous cut, if there is one', () => {
    const before = medianNorms([member(0, 1), member(1, 2), member(2, 3)])
    assert.equal(before.get('m'), 2)
    const cut = [member(0, 1), member(1, 19), member(2, 21)]
    const authors = (members: readonly StackMember[]) => members.map(({ author }) => author[0])
    assert.deepEqual(authors(refuseBeyond(cut, before)), [0, 1])
    assert.deepEqual(authors(refuseBeyond(cut, undefined)), [0, 1, 2])
    assert.deepEqual(authors(refuseBeyond(cut, undefined, 20)), [0, 1])
  })
})
