import assert from 'node:assert/strict'
import { verifyIdeal } from '../../../../sim/consortium/ideal-signatures.ts'
import { ScriptedConsortium, type Seat } from '../../../../sim/consortium/scripted-consortium.ts'
import { contextAfter, type SealedRound } from '../../../../src/protocol/history/sealed-round.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import { judge } from '../../../../src/protocol/messages/judge.ts'
import { decodeEnvelope } from '../../../../src/protocol/messages/message.ts'

const table = new ScriptedConsortium(4)
const cut = table.cut([])
const digests = { cut: cutId(table.context, cut), stack: null, model: table.context.modelDigest }
const attestations = [1, 2, 3].map((member) => ({
  member,
  attempt: 0,
  signature: table.said(member, 'attestation', 0, digests).signature
}))
const { round, parent } = table.context
const sealedRound: SealedRound = { seal: { round, parent, ...digests, attestations }, cut, manifests: [] }
const next = contextAfter(table.context, sealedRound)

function early(seat: Seat, bytes: Uint8Array): void {
  const envelope = decodeEnvelope(bytes)
  assert.equal(judge(seat.state.context, envelope, verifyIdeal).verdict, 'early')
  seat.take({ type: 'early', author: envelope.header.author, bytes })
}

function finishRound(seat: Seat): void {
  seat.take({ type: 'sealedRound', sealedRound })
  seat.take({ type: 'built', ...digests })
  assert.equal(seat.state.context.round, 2)
}

describe('messages that arrive a round early', () => {
  it('are used when their round begins', () => {
    const seat = table.sit(0)
    for (const member of [1, 2, 3])
      early(seat, table.said(member, 'ready', 0, { certified: new Uint8Array(1) }, next).bytes)
    assert.equal(seat.state.messages.size, 0)
    finishRound(seat)
    assert.equal(seat.state.phase, 'deciding', 'three readies were a quorum')
    assert.equal(seat.state.early.size, 0)
  })

  it('are limited to eight per author, each kept once', () => {
    const seat = table.sit(0)
    for (let view = 0; view < 50; view++)
      for (let again = 0; again < 2; again++)
        early(seat, table.said(1, 'prevote', view, { cut: null }, next).bytes)
    early(seat, table.said(2, 'prevote', 0, { cut: null }, next).bytes)
    assert.deepEqual(
      [...seat.state.early.values()].map((kept) => kept.length),
      [8, 1]
    )
    finishRound(seat)
    const views = [...seat.state.messages.keys()]
    assert.deepEqual(views.sort(), ['prevote/0', 'prevote/1', 'prevote/7'])
  })

  it('are limited to 128 KiB per author', () => {
    const seat = table.sit(0)
    const author = table.context.members[1]!.peer
    for (const byte of [1, 2, 3])
      seat.take({ type: 'early', author, bytes: new Uint8Array(60 * 1024).fill(byte) })
    assert.equal([...seat.state.early.values()].flat().length, 2)
  })

  it('of another next round, or with a fault, are dropped when it begins', () => {
    const seat = table.sit(0)
    const other = { ...next, parent: table.context.parent }
    early(seat, table.said(1, 'ready', 0, { certified: new Uint8Array(1) }, other).bytes)
    finishRound(seat)
    assert.equal(seat.state.messages.size, 0)
  })
})

describe('messages that arrive a round late', () => {
  it('have no effect', () => {
    const seat = table.sit(0)
    finishRound(seat)
    const before = seat.state
    seat.hear(table.said(1, 'prevote', 0, { cut: null }))
    seat.timeout('nothing')
    seat.take({ type: 'timeout', round: 1, timer: 'train' })
    seat.take({ type: 'trained', round: 1, manifest: table.manifest(0).body })
    seat.take({ type: 'built', ...digests })
    seat.take({ type: 'sealedRound', sealedRound })
    assert.deepEqual({ ...seat.state, expired: before.expired }, before)
    assert.ok(!seat.state.expired.has('train'))
  })
})
