import assert from 'node:assert/strict'
import { firsts, ScriptedConsortium, type Seat } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { equalBytes, hex } from '../../../../src/protocol/encoding/bytes.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import type { Message } from '../../../../src/protocol/messages/message.ts'
import { keptOf } from '../../../../src/protocol/state/slots.ts'

const table = new ScriptedConsortium(4)
const one = table.manifest(1)
const other = table.manifest(1, { samples: 7 })

function fetched(seat: Seat): Message<'manifest'>[] {
  return seat.done('fetch').map(({ message }) => message)
}

describe('rule 1, endorse once', () => {
  it('requests the blocks of a manifest, and signs only when all are held and valid', () => {
    const seat = table.sit(0)
    seat.hear(one)
    assert.deepEqual(fetched(seat), [one])
    assert.deepEqual(seat.said('endorsement'), [])
    seat.holds(one)
    const [said] = seat.said('endorsement')
    assert.deepEqual([said?.slot, said?.body.manifest], [1, one.id])
  })

  it('logs an endorsement before it sends it', () => {
    const seat = table.sit(0)
    seat.hear(one)
    seat.holds(one)
    const types = seat.effects.map(({ type }) => type)
    assert.equal(types.indexOf('persist'), types.indexOf('broadcast') - 1)
  })

  it('signs one manifest per author, even if a second one arrives, is certified and is held', () => {
    const seat = table.sit(0)
    seat.hear(one)
    seat.holds(one)
    seat.hear(other)
    assert.deepEqual(fetched(seat), [one], 'one is fetched of an author')
    seat.learn(table.certificate(other, [1, 2, 3]))
    assert.deepEqual(fetched(seat), [one, other], 'unless another is certified')
    seat.holds(other)
    assert.equal(seat.said('endorsement').length, 1)
  })

  it('signs neither for invalid blocks nor for a manifest that fails validation', () => {
    const seat = table.sit(0)
    seat.hear(one)
    seat.holds(one, 'a value is not finite')
    const wrong = table.manifest(2, { totalBytes: 1 })
    seat.hear(wrong)
    assert.deepEqual(fetched(seat), [one])
    // Nor if a certificate made it fetch that.
    seat.learn(table.certificate(wrong, [1, 2, 3]))
    assert.deepEqual(fetched(seat), [one, wrong])
    seat.holds(wrong)
    assert.deepEqual(seat.said('endorsement'), [])
  })

  it('fetches a certified manifest even if it refused it before', () => {
    const refused = table.manifest(2, { totalBytes: 1 })
    const seat = table.sit(0)
    seat.hear(refused)
    assert.deepEqual(fetched(seat), [])
    seat.learn(table.certificate(refused, [1, 2, 3]))
    assert.deepEqual(fetched(seat), [refused])
  })

  it('keeps a certified manifest even if its author filled the slots with others', () => {
    const seat = table.sit(0)
    seat.hear(one, table.manifest(1, { samples: 8 }))
    seat.learn(table.certificate(other, [1, 2, 3]))
    seat.hear(other)
    assert.deepEqual(fetched(seat).at(-1)?.id, other.id)
    assert.equal(keptOf(seat.state, 'manifest', 0, 1).length, 2)
  })

  it('sends nothing after the commit', () => {
    const seat = table.sit(0)
    const cut = table.cut([one])
    const id = cutId(table.context, cut)
    seat.hear(
      table.proposal(0, cut),
      ...[1, 2, 3].map((member) => table.said(member, 'precommit', 0, { cut: id }))
    )
    assert.ok(seat.state.committed)
    const third = table.manifest(3)
    seat.hear(third)
    seat.holds(third)
    assert.deepEqual(seat.said('endorsement'), [])
  })
})

describe('certificates', () => {
  it('are made of a quorum of endorsements, and not of fewer or for different manifests', () => {
    const seat = table.sit(0)
    const word = (member: number, manifest: Message<'manifest'>) =>
      table.said(member, 'endorsement', 1, { manifest: manifest.id })
    seat.hear(word(1, one), word(2, one), word(3, other))
    assert.equal(seat.state.certificates.size, 0)
    seat.hear(word(3, one))
    const made = seat.state.certificates.get(1)
    assert.ok(made !== undefined && equalBytes(made.manifest, one.id))
    assert.deepEqual(made, table.certificate(one, [1, 2, 3]))
    assert.equal(seat.done('certified').length, 1)
  })

  it('of another round are ignored, and the first of an author is kept', () => {
    const seat = table.sit(0)
    seat.take({ type: 'certificate', round: 2, certificate: table.certificate(one) })
    assert.equal(seat.state.certificates.size, 0)
    seat.learn(table.certificate(one), table.certificate(other))
    assert.equal(hex(seat.state.certificates.get(1)!.manifest), hex(one.id))
  })
})

describe('a manifest', () => {
  const { body } = table.manifest(0)
  const trained = (changes: object) =>
    ({ type: 'trained', round: 1, manifest: { ...body, ...changes } }) as const

  it('of its own is signed once, when training is done', () => {
    const seat = table.sit(0)
    seat.take(trained({}))
    seat.take(trained({ samples: 5 }))
    assert.deepEqual(
      seat.said('manifest').map((message) => message.id),
      [table.manifest(0).id]
    )
    assert.equal(seat.state.phase, 'gathering')
  })

  it('of its own is not signed if others would refuse it or could not carry it; the round continues without it', () => {
    const blocks = Array.from({ length: 2000 }, (_, index) => digestOf(`${index}`))
    for (const changes of [{ totalBytes: 3 }, { shards: [{ ...body.shards[0]!, blocks }] }]) {
      const seat = table.sit(0)
      seat.take(trained(changes))
      assert.deepEqual(seat.said('manifest'), [])
      assert.equal(seat.done('unpublished').length, 1)
      assert.deepEqual(seat.log, [])
      assert.equal(seat.state.phase, 'gathering')
    }
  })

  it('of its own is not waited for when training fails or takes too long', () => {
    const failed = table.sit(0)
    failed.take({ type: 'trainingFailed', round: 1, reason: 'no memory' })
    const late = table.sit(0)
    late.timeout('train')
    assert.equal(late.done('cancelTraining').length, 1)
    late.take(trained({}))
    for (const seat of [failed, late]) {
      assert.deepEqual(seat.said('manifest'), [])
      seat.timeout('gather')
      assert.equal(seat.said('ready').length, 1)
    }
  })

  it('of another member is fetched by every member', () => {
    const seats = firsts(4).map((member) => table.sit(member))
    for (const seat of seats) seat.hear(one)
    assert.deepEqual(
      seats.map((seat) => fetched(seat).length),
      [1, 1, 1, 1]
    )
  })
})
