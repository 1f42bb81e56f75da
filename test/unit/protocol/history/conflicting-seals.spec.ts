import assert from 'node:assert/strict'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import {
  describeConflict,
  isSameSeal,
  signedTwice
} from '../../../../src/protocol/history/conflicting-seals.ts'
import type { Seal } from '../../../../src/protocol/messages/bodies.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'

const table = new ScriptedConsortium(4)
const cut = table.cut([])

function seal(model: string, members: readonly number[]): Seal {
  const body = { cut: cutId(table.context, cut), stack: null, model: digestOf(model) }
  const { round, parent } = table.context
  const attestations = members.map((member) => ({
    member,
    attempt: 0,
    signature: table.said(member, 'attestation', 0, body).signature
  }))
  return { round, parent, ...body, attestations }
}

describe('two seals of one round (rule 16)', () => {
  it('are equal regardless of who signed', () => {
    assert.ok(isSameSeal(seal('a', [0, 1, 2]), seal('a', [1, 2, 3])))
    assert.deepEqual(signedTwice(table.context, seal('a', [0, 1, 2]), seal('a', [1, 2, 3])), [])
  })

  it('name who signed both: more than f', () => {
    const [one, other] = [seal('a', [0, 1, 2]), seal('b', [1, 2, 3])]
    const peers = [1, 2].map((member) => table.context.members[member]!.peer)
    assert.deepEqual(signedTwice(table.context, one, other), peers)
    assert.match(
      describeConflict(table.context, one, other),
      /round 1 was sealed twice.*both were signed by: 0024[0-9a-f]+, 0024/
    )
  })

  it('halt a member that receives the second while it builds the first', () => {
    const seat = table.sit(0)
    for (const made of [seal('a', [0, 1, 2]), seal('b', [1, 2, 3])])
      seat.take({ type: 'sealedRound', sealedRound: { seal: made, cut, manifests: [] } })
    assert.match(seat.state.halted!, /sealed twice/)
  })
})
