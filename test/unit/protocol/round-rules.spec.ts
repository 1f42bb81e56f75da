import assert from 'node:assert/strict'
import { restore } from '../../../src/protocol/machine.ts'
import { soundRules } from '../../../src/protocol/round-rules.ts'
import { Table } from './table.ts'

describe('the rules as values', () => {
  it('are the sound ones unless the environment says otherwise', () => {
    const table = new Table(4)
    assert.equal(table.sit(0).state.context.rules, soundRules)
  })

  it('of the environment are those by which a member judges, and the next round inherits them', () => {
    const table = new Table(4)
    const rules = { ...soundRules, quorum: () => 2 }
    const { state } = restore(table.context, [], { ...table.environment(0), rules })
    assert.equal(state.context.quorum, 2)
    assert.equal(state.context.rules, rules)
    assert.ok(!('rules' in state), 'no rule function is kept in the state beside the context')
  })

  it('broken one by one break what they are named for', () => {
    const table = new Table(4)
    const manifests = [table.manifest(1), table.manifest(1, { samples: 7 })]
    const endorsements = (rules: Partial<typeof soundRules>) => {
      const environment = { ...table.environment(0), rules: { ...soundRules, ...rules } }
      const seat = table.sitIn(environment)
      seat.hear(...manifests)
      for (const manifest of manifests) seat.holds(manifest)
      return seat.said('endorsement').length
    }
    assert.equal(endorsements({}), 1)
    assert.equal(endorsements({ endorsable: (all) => all }), 2)
  })

  it('put the record before the message', () => {
    assert.deepEqual(soundRules.inOrder('persist', 'broadcast'), ['persist', 'broadcast'])
  })
})
