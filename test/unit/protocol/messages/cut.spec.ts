import assert from 'node:assert/strict'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { cutOf } from '../../../../src/protocol/messages/cut.ts'

const table = new ScriptedConsortium(4)
const manifests = [table.manifest(0), table.manifest(2)]

describe('a cut', () => {
  it('has one order, however its manifests are found', () => {
    const found = [
      { author: 2, id: manifests[1]!.id },
      { author: 0, id: manifests[0]!.id }
    ]
    assert.deepEqual(cutOf(table.context, found), table.cut(manifests))
  })
})
