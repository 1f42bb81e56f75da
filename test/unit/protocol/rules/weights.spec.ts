import assert from 'node:assert/strict'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import type { Charter } from '../../../../src/protocol/charter/charter.ts'
import { hex } from '../../../../src/protocol/encoding/bytes.ts'
import { memberWeights, samplesFault } from '../../../../src/protocol/rules/weights.ts'

describe('rule 9, weights', () => {
  const { context } = new ScriptedConsortium(2)
  const { charter, members } = context

  it('come from the charter, and are 1 for members that it does not list', () => {
    const of = (weights?: Charter['weights']) =>
      memberWeights({ members, charter: { ...charter, ...(weights && { weights }) } })
    const [one, other] = members.map(({ peer }) => peer)
    assert.equal(of(), 'samples')
    assert.equal(of('uniform'), 'uniform')
    // The members then count documents; the rule accepts any count.
    assert.equal(of('documents'), 'samples')
    assert.deepEqual(
      of([{ peer: one!, weight: 5 }]),
      new Map([
        [hex(one!), 5],
        [hex(other!), 1]
      ])
    )
  })

  it("count training documents up to the charter's cap", () => {
    assert.equal(samplesFault(charter, { samples: charter.sampleCap }), undefined)
    assert.match(
      samplesFault(charter, { samples: charter.sampleCap + 1 })!,
      /above the charter's cap of 1000000/
    )
  })
})
