import assert from 'node:assert/strict'
import { verifyIdeal } from '../../../../sim/consortium/ideal-signatures.ts'
import { ScriptedConsortium, type Seat } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { hex } from '../../../../src/protocol/encoding/bytes.ts'
import type { SealedRound } from '../../../../src/protocol/history/sealed-round.ts'
import { decodeSealedRound, encodeSealedRound } from '../../../../src/protocol/history/sealed-round.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import type { Message } from '../../../../src/protocol/messages/message.ts'
import { proposerOf } from '../../../../src/protocol/round/proposer.ts'
import type { LogRecord } from '../../../../src/protocol/state/effects.ts'

const table = new ScriptedConsortium(4)
const manifest = table.manifest(1)
const cut = table.cut([manifest])
const id = cutId(table.context, cut)
const right = { stack: digestOf('stack'), model: digestOf('right model') }
const wrong = { stack: digestOf('stack'), model: digestOf('wrong model') }

function attested(member: number, digests: typeof right, attempt = 0): Message<'attestation'> {
  return table.said(member, 'attestation', attempt, { cut: id, ...digests })
}

const precommits = [1, 2, 3].map((member) => table.said(member, 'precommit', 0, { cut: id }))

/** A member that committed and is asked to build. */
function building(seat = table.sit(0)): Seat {
  seat.hear(manifest)
  seat.holds(manifest)
  seat.hear(table.proposal(0, cut), ...precommits)
  assert.equal(seat.done('build').length, 1)
  return seat
}

function built(seat: Seat, digests: typeof right): void {
  seat.take({ type: 'built', cut: id, ...digests })
}

function sealedRound(): SealedRound {
  const attestations = [1, 2, 3].map((member) => ({
    member,
    attempt: 0,
    signature: attested(member, right).signature
  }))
  const seal = { round: 1, parent: table.context.parent, cut: id, ...right, attestations }
  const bytes = encodeSealedRound({ seal, cut, manifests: [manifest] })
  return decodeSealedRound(table.context, bytes, verifyIdeal)
}

describe('stacking', () => {
  it('starts once all manifests of the cut are held, valid or not, and is requested once', () => {
    const seat = table.sit(0)
    seat.hear(table.proposal(0, cut), ...precommits)
    assert.equal(seat.state.phase, 'stacking')
    assert.deepEqual(seat.done('build'), [])
    seat.hear(manifest)
    assert.deepEqual(
      seat.done('fetch').map(({ message }) => message.id),
      [manifest.id]
    )
    seat.holds(manifest, 'its norm is too large')
    seat.hear(attested(2, right))
    assert.equal(seat.done('build').length, 1)
    assert.deepEqual(seat.done('build')[0]?.manifests, [manifest])
  })

  it('ignores a result for another cut', () => {
    const seat = building()
    seat.take({ type: 'built', cut: digestOf('another'), ...right })
    assert.deepEqual(seat.said('attestation'), [])
  })
})

describe('rule 8, attest', () => {
  it('signs what was built, and a quorum of equal attestations is the seal', () => {
    const seat = building()
    built(seat, right)
    assert.equal(seat.said('attestation').length, 1)
    assert.equal(seat.state.phase, 'sealing')
    seat.hear(attested(1, right), attested(2, right))
    const [sealed] = seat.done('sealed')
    assert.ok(sealed)
    assert.equal(seat.state.context.round, 2)
    assert.equal(seat.state.phase, 'training')
    assert.deepEqual(
      decodeSealedRound(table.context, encodeSealedRound(sealed.sealedRound), verifyIdeal).seal,
      sealed.sealedRound.seal
    )
  })

  it('does not seal below a quorum, or with a different body', () => {
    const seat = building()
    built(seat, right)
    seat.hear(attested(1, right), attested(2, wrong))
    assert.deepEqual(seat.done('sealed'), [])
  })

  it('counts a member once, by its highest attempt', () => {
    const seat = building()
    built(seat, right)
    seat.hear(attested(1, wrong), attested(2, right), attested(1, right, 3))
    assert.equal(seat.done('sealed').length, 1)
    const other = building()
    built(other, right)
    other.hear(attested(2, right), attested(2, right, 1), attested(2, right, 2))
    assert.deepEqual(other.done('sealed'), [])
  })

  it('corrects itself in the next attempt after building something else', () => {
    const seat = building()
    built(seat, wrong)
    const again = building(table.sitAgain(0, seat.log))
    built(again, right)
    assert.deepEqual(
      again.said('attestation').map(({ slot, body }) => [slot, hex(body.model)]),
      [
        [0, hex(wrong.model)],
        [1, hex(right.model)]
      ]
    )
    const third = building(table.sitAgain(0, again.log))
    built(third, right)
    assert.equal(third.said('attestation').length, 2, 'the same digests need no third attempt')
  })

  it('never attests two cuts: it halts', () => {
    const other = { cut: digestOf('another cut'), ...right }
    const log: LogRecord[] = [{ type: 'signed', envelope: table.said(0, 'attestation', 0, other).bytes }]
    const seat = building(table.sitAgain(0, log))
    built(seat, right)
    assert.equal(seat.done('halt').length, 1)
    assert.equal(seat.said('attestation').length, 1, 'the one from the log')
  })

  it('halts and stays halted when all attested and no quorum agrees', () => {
    const seat = building()
    built(seat, right)
    seat.hear(attested(1, wrong), attested(2, wrong), attested(3, right))
    assert.match(seat.done('halt')[0]!.reason, /all 4 members attested round 1 and no 3 of them agree/)
    seat.hear(attested(2, right, 1))
    assert.equal(seat.state.context.round, 1)
  })

  it('halts when a quorum attested another cut than it committed', () => {
    const seat = building()
    const other = { cut: digestOf('another cut'), ...right }
    seat.hear(...[1, 2, 3].map((member) => table.said(member, 'attestation', 0, other)))
    assert.equal(seat.done('halt').length, 1)
  })

  describe('with a build that differs from the seal', () => {
    const diverged = () => {
      const seat = building()
      seat.hear(attested(1, right), attested(2, right), attested(3, right))
      built(seat, wrong)
      return seat
    }

    it('continues with the next round, in which it neither trains nor attests', () => {
      const seat = diverged()
      assert.deepEqual(seat.done('halt'), [])
      assert.deepEqual(seat.said('attestation'), [])
      const order = seat.effects
        .map(({ type }) => type)
        .filter((type) => /diverged|sealed|rebuild/.test(type))
      assert.deepEqual(order, ['diverged', 'sealed', 'rebuild'])
      assert.equal(hex(seat.done('rebuild')[0]!.context.modelDigest), hex(right.model))
      assert.equal(seat.state.context.round, 2)
      assert.equal(seat.done('train').length, 1, 'that of the first round')
    })

    it('votes on, and follows the seals of others without building', () => {
      const seat = diverged()
      const { context } = seat.state
      const void2 = { entries: [], membership: [], evidence: [] }
      const id = cutId(context, void2)
      const say = (member: number, kind: 'ready' | 'prevote' | 'precommit') =>
        table.said(
          member,
          kind,
          0,
          kind === 'ready' ? { certified: new Uint8Array(1) } : { cut: id },
          context
        )
      seat.timeout('train')
      for (const member of [1, 2, 3]) seat.hear(say(member, 'ready'))
      assert.equal(seat.said('ready').at(-1)!.header.round, 2)
      const proposer = proposerOf(context, 0)
      if (proposer !== 0) {
        const carried = [1, 2, 3].map((member) => {
          const { body, signature } = say(member, 'ready') as Message<'ready'>
          return { member, certified: body.certified, signature }
        })
        seat.hear(
          table.said(proposer, 'proposal', 0, { cut: void2, validView: -1, readies: carried }, context)
        )
      }
      assert.equal(seat.said('prevote').at(-1)!.header.round, 2)
      for (const member of [1, 2, 3]) seat.hear(say(member, 'prevote'), say(member, 'precommit'))
      assert.equal(seat.state.phase, 'stacking')
      assert.equal(seat.done('build').length, 1, 'that of the first round')
      const body = { cut: id, stack: null, model: context.modelDigest }
      seat.hear(...[1, 2, 3].map((member) => table.said(member, 'attestation', 0, body, context)))
      assert.equal(seat.state.context.round, 3)
      assert.deepEqual(seat.said('attestation'), [])
      assert(seat.state.diverged)
    })

    it('trains after a rebuild in time, and only with the sealed model', () => {
      const seat = diverged()
      seat.take({ type: 'rebuilt', model: wrong.model })
      assert(seat.state.diverged)
      seat.take({ type: 'rebuilt', model: right.model })
      assert(!seat.state.diverged)
      assert.equal(seat.done('train').at(-1)!.context.round, 2)
    })

    it('does not train after the train timeout', () => {
      const seat = diverged()
      seat.timeout('train')
      seat.take({ type: 'rebuilt', model: right.model })
      assert.equal(seat.done('train').length, 1)
    })
  })
})

describe('a seal made by others', () => {
  it('is followed: its cut is built and compared, without its own attestation', () => {
    const seat = table.sit(0)
    seat.take({ type: 'sealedRound', sealedRound: sealedRound() })
    assert.equal(seat.done('cancelTraining').length, 1)
    seat.holds(manifest)
    assert.equal(seat.done('build').length, 1)
    built(seat, right)
    assert.equal(seat.state.context.round, 2)
    assert.deepEqual(seat.said('attestation'), [])
  })

  it('halts a member that committed another cut', () => {
    const seat = table.sit(0)
    const other = table.cut([table.manifest(2)])
    const otherId = cutId(table.context, other)
    seat.hear(table.proposal(0, other))
    seat.hear(...[1, 2, 3].map((member) => table.said(member, 'precommit', 0, { cut: otherId })))
    seat.take({ type: 'sealedRound', sealedRound: sealedRound() })
    assert.equal(seat.done('halt').length, 1)
  })

  it('is refused with another cut, other manifests or too few', () => {
    const { seal, manifests } = sealedRound()
    const refuses = (changed: SealedRound, reason: RegExp) =>
      assert.throws(() => decodeSealedRound(table.context, encodeSealedRound(changed), verifyIdeal), reason)
    refuses({ seal, cut: table.cut([table.manifest(2)]), manifests }, /not the one named in the seal/)
    refuses({ seal, cut, manifests: [] }, /missing/)
    refuses({ seal, cut, manifests: [table.manifest(2)] }, /not the one in the cut/)
    refuses(
      { seal: { ...seal, attestations: seal.attestations.slice(1) }, cut, manifests },
      /not signed by a quorum/
    )
  })
})
