import assert from 'node:assert/strict'
import { describeResilience, maximumFaulty, quorumSize } from '../../../../src/protocol/charter/quorum.ts'

describe('quorums', () => {
  it('of every size: the honest members form one, and any two share an honest member', () => {
    for (let members = 1; members <= 256; members++) {
      const faulty = maximumFaulty(members)
      const quorum = quorumSize(members)
      const size = `n = ${members}, f = ${faulty}, q = ${quorum}`
      assert.ok(
        3 * faulty < members && 3 * (faulty + 1) >= members,
        `${size}: f is the largest below a third`
      )
      assert.ok(quorum <= members - faulty, `${size}: the honest alone`)
      assert.ok(2 * quorum - members > faulty, `${size}: an honest member in common`)
      assert.ok(quorum >= faulty + 1, `${size}: an honest member in each`)
      assert.ok(2 * (quorum - 1) - members <= faulty, `${size}: no smaller number would do`)
    }
  })

  it('describe which faults a size tolerates', () => {
    assert.match(describeResilience(2), /no crash/)
    assert.match(describeResilience(3), /one crashed member, but no Byzantine one/)
    assert.match(describeResilience(7), /2 Byzantine member\(s\); 5 must agree/)
  })
})
