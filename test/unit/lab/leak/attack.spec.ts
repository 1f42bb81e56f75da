import assert from 'node:assert/strict'
import { areaUnderCurve, attackStrength, truePositiveRate } from '../../../../lab/leak/attack.ts'

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

describe('the strength of a membership inference attack', () => {
  it('is the probability that a member scores above a non-member, ties counted half', () => {
    assert.equal(areaUnderCurve({ members: [3, 4], others: [1, 2] }), 1)
    assert.equal(areaUnderCurve({ members: [1, 2], others: [3, 4] }), 0)
    assert.equal(areaUnderCurve({ members: [1, 1], others: [1, 1] }), 0.5)
    assert.equal(areaUnderCurve({ members: [2, 4], others: [1, 3] }), 0.75)
  })

  it('counts the members above all but one in a hundred non-members', () => {
    const others = range(0, 100)
    assert.equal(truePositiveRate({ members: [98, 98.5, 99, 200], others }, 0.01), 0.75)
    // With fewer than a hundred, none of them may be above.
    assert.equal(truePositiveRate({ members: [48, 49, 50, 51], others: range(0, 50) }, 0.01), 0.5)
  })

  it('has intervals around the value, narrow for many documents and wide for few', () => {
    const run = (count: number) => ({
      members: range(0, count).map((index) => (index * 37) % count),
      others: range(0, count).map((index) => ((index * 53) % count) - count / 4)
    })
    const many = attackStrength([run(120), run(90)], 1)
    const few = attackStrength([run(12)], 1)
    for (const { auc, truePositives } of [many, few])
      for (const { value, low, high } of [auc, truePositives]) assert(low <= value && value <= high)
    assert(many.auc.high - many.auc.low < few.auc.high - few.auc.low)
    assert.deepEqual(attackStrength([run(12)], 1), few)
  })
})
