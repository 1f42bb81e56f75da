import assert from 'node:assert/strict'
import type { Copy } from '../../sim/consortium/copy.ts'
import { ScriptedConsortium } from '../../sim/consortium/scripted-consortium.ts'
import { Watch } from '../../sim/invariants/watch.ts'
import { hex } from '../../src/protocol/encoding/bytes.ts'
import { cutId } from '../../src/protocol/messages/cut.ts'

describe('the checker of a cut', () => {
  const committee = { size: 4, assumedFaulty: 0.1, epsilon: 1, rounds: 1 }
  const table = new ScriptedConsortium(10, { committee })
  const { context } = table
  /** Commits an empty cut after `naming` voters have named the same author. */
  const violations = (naming: number) => {
    const watch = new Watch(new Map(context.members.map(({ peer }, person) => [hex(peer), person])))
    for (const person of context.voters.slice(0, naming)) {
      const copy = { person, name: `${person}`, peer: context.members[person]!.peer } as unknown as Copy
      watch.said(copy, table.ready(person, [0]))
    }
    const cut = table.cut([])
    const { state } = table.sit(context.voters[0]!)
    watch.committed('somebody', { ...state, committed: { id: cutId(context, cut), cut } })
    return watch.violations.map(({ invariant }) => invariant)
  }

  it('counts the voters of the round, not all members: n − q + 1 of four are two', () => {
    assert.equal(context.voters.length, 4)
    assert.deepEqual(violations(1), [])
    assert.deepEqual(violations(2), ['union'])
  })
})
