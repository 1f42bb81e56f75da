import assert from 'node:assert/strict'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { Heads } from '../../../../src/node/driver/heads.ts'

describe('how far ahead the others are', () => {
  const { context } = new ScriptedConsortium(4)
  const at = (round: number) => ({ ...context, round })

  it('is what f + 1 members claim, so that one liar has no effect', () => {
    const heads = new Heads()
    assert.equal(heads.ahead(context), context.round)
    heads.note(context.members[1]!.peer, 1_000)
    assert.equal(heads.ahead(context), context.round)
    heads.note(context.members[2]!.peer, 40)
    assert.equal(heads.ahead(context), 40)
  })

  it('is shown by valid seals even without members, and by larger claims only up to those seals', () => {
    const heads = new Heads()
    heads.prove(20, 1_000)
    assert.equal(heads.ahead(at(3)), 1_000)
    assert.equal(heads.ahead(at(20)), 20)
    heads.prove(30, 7)
    assert.equal(heads.ahead(at(21)), 30)
  })
})
