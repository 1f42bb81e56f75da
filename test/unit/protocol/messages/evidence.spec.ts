import assert from 'node:assert/strict'
import fc from 'fast-check'
import { verifyIdeal } from '../../../../sim/consortium/ideal-signatures.ts'
import { firsts, ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { createSigner, verifyEd25519 } from '../../../../src/protocol/encoding/signature.ts'
import { settle } from '../../../../src/protocol/history/settle.ts'
import type { Evidence } from '../../../../src/protocol/messages/bodies.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import { cutEvidenceFault, evidenceFault, evidenceOf } from '../../../../src/protocol/messages/evidence.ts'
import { isKind, judge } from '../../../../src/protocol/messages/judge.ts'
import { decodeEnvelope, type Message, signMessage } from '../../../../src/protocol/messages/message.ts'
import { countOf } from '../../../../src/protocol/state/slots.ts'

const table = new ScriptedConsortium(4)
const vote = (author: number, view: number, cut: string, on = table) =>
  on.said(author, 'prevote', view, { cut: digestOf(cut) }) as Message

function convicted(author: number, on = table): Evidence {
  return evidenceOf(vote(author, 0, 'a', on), vote(author, 0, 'b', on))!
}

describe('rule 10, evidence', () => {
  it('is two different messages in one slot, in any order, and convicts their author', () => {
    const [one, other] = [vote(2, 3, 'a'), vote(2, 3, 'b')]
    const evidence = evidenceOf(one, other)!
    assert.deepEqual(evidence, evidenceOf(other, one))
    assert.equal(evidenceFault(table.context, evidence, verifyIdeal), undefined)
    assert.equal(evidenceOf(one, one), undefined)
    assert.equal(evidenceOf(one, vote(2, 4, 'b')), undefined)
    assert.equal(evidenceOf(one, vote(1, 3, 'b')), undefined)
  })

  it('is small, whatever was signed', () => {
    const evidence = evidenceOf(table.manifest(1), table.manifest(1, { samples: 7 }))!
    const message = table.said(0, 'evidence', 1, evidence)
    assert.ok(message.bytes.length < 2048, `${message.bytes.length} bytes`)
  })

  it('includes the attestation of another cut in a later attempt, but not a corrected digest', () => {
    const attest = (attempt: number, cut: string, model: string) =>
      table.said(1, 'attestation', attempt, {
        cut: digestOf(cut),
        stack: null,
        model: digestOf(model)
      }) as Message
    assert.equal(evidenceOf(attest(0, 'a', 'm'), attest(1, 'a', 'n')), undefined)
    const evidence = evidenceOf(attest(0, 'a', 'm'), attest(2, 'b', 'm'))!
    assert.equal(evidenceFault(table.context, evidence, verifyIdeal), undefined)
    assert.equal(
      evidenceFault(table.context, { ...evidence, attested: [] }, verifyIdeal),
      'its headers do not contradict each other'
    )
    const same = { ...evidence, attested: [evidence.attested[0]!, evidence.attested[0]!] }
    assert.equal(evidenceFault(table.context, same, verifyIdeal), 'its headers do not contradict each other')
    const seat = table.sit(0)
    seat.hear(attest(0, 'a', 'm'), attest(2, 'b', 'm'))
    assert.equal(seat.said('evidence').length, 1)
  })

  it('is gossiped once by every member that sees it, received by others, and put into the next fresh cut', () => {
    const seat = table.sit(table.proposer(0))
    const offender = (table.proposer(0) + 1) % 4
    const manifests = firsts(4).map((author) => table.manifest(author))
    const reporter = (offender + 1) % 4
    seat.hear(table.said(reporter, 'evidence', offender, convicted(offender)))
    assert.equal(seat.said('evidence').length, 1)
    seat.hear(table.said((reporter + 1) % 4, 'evidence', offender, convicted(offender)))
    assert.equal(countOf(seat.state, 'evidence', offender), 2, 'the reporter and the own')
    seat.learn(...manifests.map((manifest) => table.certificate(manifest)))
    seat.hear(...firsts(4).map((member) => table.ready(member, firsts(4))))
    const [proposal] = seat.said('proposal')
    assert.equal(proposal?.body.cut.evidence.length, 1)
    assert.equal(proposal.body.cut.entries.length, 4, "the offender's shard stays")
    assert.equal(judge(table.context, decodeEnvelope(proposal.bytes), verifyIdeal).verdict, 'accept')
  })

  it('excludes the offender from the next round on, but never all members', () => {
    const seal = { cut: digestOf('cut'), stack: null, model: table.context.modelDigest }
    const { members } = settle(table.context, seal, [], { membership: [], evidence: [convicted(2)] })
    assert.deepEqual(
      members,
      table.context.members.filter((_, index) => index !== 2)
    )
    const one = new ScriptedConsortium(1)
    assert.equal(
      settle(one.context, seal, [], { membership: [], evidence: [convicted(0, one)] }).members.length,
      1
    )
  })

  it('does not change the cut id by its signatures, but by its headers', () => {
    const cut = { entries: [], membership: [], evidence: [convicted(1)] }
    const resigned = structuredClone(convicted(1))
    resigned.first.signature[0]! ^= 1
    assert.deepEqual(cutId(table.context, cut), cutId(table.context, { ...cut, evidence: [resigned] }))
    assert.notDeepEqual(cutId(table.context, cut), cutId(table.context, { ...cut, evidence: [convicted(2)] }))
  })

  it('in a cut is sorted, one per offender, at most eight, about members, and signed', () => {
    const fault = (...evidence: Evidence[]) => cutEvidenceFault(table.context, evidence, verifyIdeal)
    assert.equal(fault(convicted(0), convicted(1)), undefined)
    assert.match(fault(convicted(1), convicted(0))!, /not sorted/)
    assert.match(fault(convicted(1), convicted(1))!, /accuses a peer twice/)
    assert.match(fault(...new Array<Evidence>(9).fill(convicted(1)))!, /at once/)
    const forged = structuredClone(convicted(1))
    forged.second.signature[3]! ^= 4
    assert.match(fault(forged)!, /signature/)
    const stranger = signMessage(table.context, createSigner(new Uint8Array(32).fill(9)), 'prevote', 0, {
      cut: null
    })
    const strange = { header: stranger.header, signature: stranger.signature }
    assert.match(fault({ first: strange, second: strange, attested: [] })!, /not a member/)
  })

  it('cannot be made against a member that signs once per kind and slot, from any combination (property)', () => {
    const words = fc.record({
      kind: fc.constantFrom('prevote' as const, 'precommit' as const, 'endorsement' as const),
      slot: fc.nat(3),
      text: fc.constantFrom('a', 'b', 'c')
    })
    const signer = createSigner(new Uint8Array(32).fill(5))
    const context = { ...table.context, members: [{ peer: signer.peer, anchor: digestOf('x') }] }
    fc.assert(
      fc.property(fc.array(words, { maxLength: 8 }), fc.nat(7), fc.nat(7), fc.nat(63), (said, a, b, bit) => {
        const places = new Map(said.map((word) => [`${word.kind}/${word.slot}`, word]))
        const messages = [...places.values()].map(({ kind, slot, text }) =>
          kind === 'endorsement'
            ? (signMessage(context, signer, kind, slot, { manifest: digestOf(text) }) as Message)
            : (signMessage(context, signer, kind, slot, { cut: digestOf(text) }) as Message)
        )
        for (const one of messages)
          for (const other of messages) assert.equal(evidenceOf(one, other), undefined)
        const [one, other] = [messages[a % messages.length], messages[b % messages.length]]
        if (one === undefined || other === undefined) return
        // An accuser has only the signed messages, and may change anything in them.
        const changed = structuredClone(other.header)
        changed.payload[bit % 32]! ^= 1 << (bit % 8)
        const pairs = [
          { header: changed, signature: other.signature },
          { header: { ...changed, slot: one.slot, kind: one.kind }, signature: one.signature },
          { header: other.header, signature: one.signature }
        ]
        for (const second of pairs) {
          const first = { header: one.header, signature: one.signature }
          for (const evidence of [
            { first, second, attested: [] },
            { first: second, second: first, attested: [] }
          ])
            assert.notEqual(evidenceFault(context, evidence, verifyEd25519), undefined)
        }
      }),
      { numRuns: 60 }
    )
  })

  it('survives a restart, as does its report', () => {
    const seat = table.sit(0)
    seat.hear(vote(1, 0, 'a'), vote(1, 0, 'b'))
    const again = table.sitAgain(0, seat.log)
    assert.equal(again.state.evidence.size, 1)
    assert.ok(again.said('evidence').every((message) => isKind(message, 'evidence')))
    assert.equal(again.log.length, seat.log.length, 'nothing is signed again')
  })
})
