import assert from 'node:assert/strict'
import fc from 'fast-check'
import { simulatedConsortium } from '../../../../sim/consortium/simulated-consortium.ts'
import { checkCharter } from '../../../../src/protocol/charter/charter.ts'
import {
  committeeFailure,
  describeCommittee,
  isCommitteeSafe
} from '../../../../src/protocol/charter/committee.ts'

const terms = (size: number, assumedFaulty: number, epsilon = 1e-3, rounds = 1000) => ({
  size,
  assumedFaulty,
  epsilon,
  rounds
})

describe('rule 13, the committee of a charter', () => {
  it('computes the probability of a bad committee, as counted by hand in small cases', () => {
    // 4 of 10, 3 faulty: more than one faulty in 4. C(3,2)C(7,2) + C(3,3)C(7,1) = 63 + 7 of C(10,4) = 210.
    assert.ok(Math.abs(committeeFailure(10, terms(4, 0.3)) - 70 / 210) < 1e-12)
    assert.equal(committeeFailure(10, terms(10, 0.3)), 0)
    assert.equal(committeeFailure(10, terms(1, 0)), 0)
    assert.ok(Math.abs(committeeFailure(10, terms(1, 0.3)) - 0.3) < 1e-12)
  })

  it('refuses a committee that is not safe over all its rounds', () => {
    assert.ok(isCommitteeSafe(10, terms(4, 0.3, 0.5, 1)))
    assert.ok(!isCommitteeSafe(10, terms(4, 0.3, 0.5, 2)))
    assert.match(describeCommittee(10, terms(4, 0.3)), /3 of them assumed faulty.*3\.33e-1/)
    const { charter } = simulatedConsortium(40).signed
    const make = (size: number, assumedFaulty: number) =>
      checkCharter({ ...charter, committee: terms(size, assumedFaulty) })
    assert.throws(() => make(20, 0.25), /too small/)
    assert.doesNotThrow(() => make(20, 0.05))
    assert.throws(() => make(41, 0.05), /larger than the membership/)
  })

  it('never accepts an unsafe committee (property): the exact bound agrees with the printed probability', () => {
    const given = fc.record({
      members: fc.integer({ min: 4, max: 200 }),
      size: fc.integer({ min: 1, max: 60 }),
      faulty: fc.double({ min: 0, max: 0.33, noNaN: true }),
      epsilon: fc.double({ min: 1e-9, max: 0.5, noNaN: true })
    })
    fc.assert(
      fc.property(given, ({ members, size, faulty, epsilon }) => {
        const asked = terms(size, faulty, epsilon, 10)
        const union = committeeFailure(members, asked) * 10
        if (isCommitteeSafe(members, asked)) assert.ok(union <= epsilon * (1 + 1e-9) + 1e-12)
        else assert.ok(union > epsilon * (1 - 1e-6) - 1e-12)
      })
    )
  })
})
