import assert from 'node:assert/strict'
import { firsts, ScriptedConsortium, type Seat } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import type { SealedRound } from '../../../../src/protocol/history/sealed-round.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import { checkpointDistance } from '../../../../src/protocol/rules/catch-up.ts'

const table = new ScriptedConsortium(4)
const manifest = table.manifest(1)

/** The first round, sealed by the others. */
function sealedRound(): SealedRound {
  const cut = table.cut([manifest])
  const digests = { cut: cutId(table.context, cut), stack: digestOf('stack'), model: digestOf('model') }
  const attestations = firsts(3).map((member) => {
    const { signature, slot } = table.said(member, 'attestation', 0, digests)
    return { member, attempt: slot, signature }
  })
  const { round, parent } = table.context
  return { seal: { round, parent, ...digests, attestations }, cut, manifests: [manifest] }
}

const typesOf = (seat: Seat) => seat.effects.map(({ type }) => type)

describe('rule 16, catch-up', () => {
  it('builds a round that others sealed', () => {
    const seat = table.sit(3)
    seat.take({ type: 'behind', through: table.context.round - 1 })
    seat.take({ type: 'sealedRound', sealedRound: sealedRound() })
    assert.deepEqual(
      seat.done('fetch').map(({ message }) => message.id),
      [manifest.id]
    )
    seat.holds(manifest)
    assert.equal(seat.done('build').length, 1)
    assert.equal(seat.state.context.round, 1)
    const { cut, stack, model } = sealedRound().seal
    seat.take({ type: 'built', cut, stack, model })
    assert.equal(seat.state.context.round, 2)
    assert.ok(!typesOf(seat).includes('diverged'))
  })

  it('follows a distant round by its seal alone: nothing is fetched, built or signed', () => {
    const seat = table.sit(3)
    seat.take({ type: 'behind', through: table.context.round })
    assert.equal(seat.state.context.round, 1, 'without a seal there is nothing to follow')
    const effects = seat.take({ type: 'sealedRound', sealedRound: sealedRound() }).map(({ type }) => type)
    assert.deepEqual(effects.slice(0, 2), ['cancelTraining', 'sealed'])
    assert.ok(!effects.some((type) => ['fetch', 'build', 'broadcast', 'diverged', 'rebuild'].includes(type)))
    assert.deepEqual([seat.state.context.round, seat.state.diverged], [2, false])
    assert.deepEqual(seat.state.context.modelDigest, digestOf('model'))
  })

  it('stops fetching and building a round that turns out to be distant, and records it', () => {
    const seat = table.sit(3)
    seat.take({ type: 'sealedRound', sealedRound: sealedRound() })
    assert.equal(seat.state.context.round, 1)
    seat.take({ type: 'behind', through: 40 })
    assert.equal(seat.state.context.round, 2)
    seat.take({ type: 'behind', through: 7 })
    assert.equal(seat.state.historyThrough, 40, 'an earlier round changes nothing')
  })

  it('uses a checkpoint from 16 rounds on, or earlier if blocks are retained for fewer', () => {
    const { charter } = table.context
    assert.equal(checkpointDistance({ charter: { ...charter, retain: 64 } }), 16)
    assert.equal(checkpointDistance({ charter: { ...charter, retain: 3 } }), 3)
  })
})
