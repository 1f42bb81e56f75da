import assert from 'node:assert/strict'
import { idealSigner, verifyIdeal } from '../../../../sim/consortium/ideal-signatures.ts'
import { firsts, ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { peerOf } from '../../../../src/protocol/encoding/signature.ts'
import { RECENT_SEALS, settle } from '../../../../src/protocol/history/settle.ts'
import type { ChangeRequest, Cut, MembershipChange } from '../../../../src/protocol/messages/bodies.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import { judge } from '../../../../src/protocol/messages/judge.ts'
import {
  cutMembershipFault,
  requestFault,
  requestId,
  signRequest
} from '../../../../src/protocol/messages/membership.ts'
import { decodeEnvelope } from '../../../../src/protocol/messages/message.ts'
import { followingContext, type RoundContext } from '../../../../src/protocol/round/context.ts'

const table = new ScriptedConsortium(4)
const newcomer = peerOf(digestOf('newcomer'))

function request(
  type: ChangeRequest['type'],
  peer: Uint8Array,
  changes: Partial<ChangeRequest> = {}
): ChangeRequest {
  const { parent, modelDigest } = table.context
  const anchor = type === 'join' ? digestOf('its anchor') : null
  return { type, peer, anchor, seal: parent, model: modelDigest, expiry: 9, ...changes }
}

const join = (changes: Partial<ChangeRequest> = {}) => request('join', newcomer, changes)
const leave = (member: number) => request('leave', table.context.members[member]!.peer)
const evict = (member: number) => request('evict', table.context.members[member]!.peer)
const ownOf = (wanted: ChangeRequest) =>
  wanted.type === 'evict' ? null : signRequest(table.context.charterId, wanted, idealSigner(wanted.peer))

/** A change with the signatures of these members. */
function change(
  wanted: ChangeRequest,
  signers: readonly number[],
  context = table.context
): MembershipChange {
  const admits = signers.map((member) => ({
    member,
    signature: signRequest(context.charterId, wanted, idealSigner(context.members[member]!.peer))
  }))
  return { request: wanted, own: ownOf(wanted), admits }
}

const fault = (...changes: MembershipChange[]) => cutMembershipFault(table.context, changes, verifyIdeal)
const cutWith = (...membership: MembershipChange[]): Cut => ({ entries: [], membership, evidence: [] })

function following(context: RoundContext, cut: Cut, model = context.modelDigest): RoundContext {
  return followingContext(context, settle(context, { cut: cutId(context, cut), stack: null, model }, [], cut))
}

describe('rule 11, membership', () => {
  it('admits a peer that a quorum of this round signed for, from the next round on, even in a void round', () => {
    const joining = change(join(), [0, 1, 2])
    assert.equal(fault(joining), undefined)
    const next = following(table.context, cutWith(joining))
    assert.equal(next.members.length, 5)
    assert.deepEqual(
      next.members.find(({ peer }) => Buffer.compare(peer, newcomer) === 0)?.anchor,
      digestOf('its anchor')
    )
    assert.equal(next.quorum, 4)
    assert.equal(table.context.members.length, 4)
  })

  it('refuses too few signatures, repeated ones, those of non-members, and those for another request', () => {
    assert.match(fault(change(join(), [0, 1]))!, /quorum/)
    const twice = change(join(), [0, 1, 1])
    assert.match(fault(twice)!, /sorted/)
    const joining = change(join(), [0, 1, 2])
    assert.match(
      fault({ ...joining, admits: [...joining.admits.slice(0, 2), { ...joining.admits[2]!, member: 9 }] })!,
      /members/
    )
    const other = change(join({ expiry: 8 }), [0, 1, 2])
    assert.match(fault({ ...joining, admits: other.admits })!, /members of this round/)
    assert.match(fault({ ...joining, own: other.own })!, /signature is not valid/)
    assert.match(fault({ ...joining, own: null })!, /signature/)
  })

  it('refuses a request that is expired, for an unknown seal or another model, or without effect', () => {
    const why = (wanted: ChangeRequest) => requestFault(table.context, wanted, ownOf(wanted), verifyIdeal)
    assert.equal(why(join({ expiry: 1 })), undefined)
    assert.match(
      requestFault({ ...table.context, round: 10 }, join(), ownOf(join()), verifyIdeal)!,
      /expired/
    )
    assert.match(why(join({ seal: digestOf('no seal') }))!, /recent/)
    assert.match(why(join({ model: digestOf('no model') }))!, /recent/)
    assert.match(why(join({ anchor: null }))!, /anchor/)
    assert.match(why(request('join', table.context.members[1]!.peer))!, /already a member/)
    assert.match(why(request('leave', newcomer))!, /not about a member/)
    const elsewhere = { ...table.context, charterId: digestOf('another consortium') }
    assert.match(requestFault(elsewhere, join(), ownOf(join()), verifyIdeal)!, /not valid/)
  })

  it('spends a request once: it cannot bring back a member that joined and left', () => {
    const joined = following(table.context, cutWith(change(join(), [0, 1, 2])))
    const wanted = { ...request('leave', newcomer), seal: joined.parent }
    const left = following(
      joined,
      cutWith({
        request: wanted,
        own: signRequest(joined.charterId, wanted, idealSigner(newcomer)),
        admits: []
      })
    )
    assert.equal(left.members.length, 4)
    assert.match(cutMembershipFault(left, [change(join(), [0, 1, 2])], verifyIdeal)!, /already taken effect/)
  })

  it('keeps spent requests for the recent seals only, after which they are too old', () => {
    let context = following(table.context, cutWith(change(join(), [0, 1, 2])))
    for (let round = 0; round < RECENT_SEALS + 3; round++) context = following(context, cutWith())
    assert.equal(context.recent.length, RECENT_SEALS)
    assert.deepEqual(context.spent, [])
    const late = { ...context, members: table.context.members, round: 2 }
    assert.match(requestFault(late, join(), ownOf(join()), verifyIdeal)!, /recent/)
  })

  it('lets members leave by their own signature, and a quorum evict', () => {
    assert.equal(fault({ request: leave(2), own: ownOf(leave(2)), admits: [] }), undefined)
    assert.match(
      fault({
        request: leave(2),
        own: signRequest(table.context.charterId, leave(2), idealSigner(newcomer)),
        admits: []
      })!,
      /not valid/
    )
    assert.equal(fault(change(evict(2), [0, 1, 3])), undefined)
    assert.match(fault(change(evict(2), [0, 1]))!, /quorum/)
    assert.equal(following(table.context, cutWith(change(evict(2), [0, 1, 3]))).members.length, 3)
  })

  it('lets at most max(1, f) join in a cut, in one order, each peer once', () => {
    const other = peerOf(digestOf('another newcomer'))
    const both = [newcomer, other]
      .sort(Buffer.compare)
      .map((peer) => change(request('join', peer), [0, 1, 2]))
    assert.match(fault(...both)!, /lets 2 peers join/)
    assert.match(fault(both[0]!, both[0]!)!, /sorted/)
    const seven = new ScriptedConsortium(7)
    const wanted = (peer: Uint8Array) => ({ ...request('join', peer), seal: seven.context.parent })
    const two = both.map(({ request: { peer } }) => ({
      ...change(wanted(peer), firsts(5), seven.context),
      own: signRequest(seven.context.charterId, wanted(peer), idealSigner(peer))
    }))
    assert.equal(cutMembershipFault(seven.context, two, verifyIdeal), undefined)
    assert.match(cutMembershipFault(seven.context, two.toReversed(), verifyIdeal)!, /sorted/)
  })

  it('never leaves a consortium without members', () => {
    const one = new ScriptedConsortium(1)
    const wanted = { ...request('leave', one.context.members[0]!.peer), seal: one.context.parent }
    const own = signRequest(one.context.charterId, wanted, idealSigner(wanted.peer))
    assert.equal(following(one.context, cutWith({ request: wanted, own, admits: [] })).members.length, 1)
  })

  it('has request ids that do not depend on signatures', () => {
    const id = (signers: number[]) => cutId(table.context, cutWith(change(join(), signers)))
    assert.deepEqual(id([0, 1, 2]), id([1, 2, 3]))
    assert.notDeepEqual(id([0, 1, 2]), cutId(table.context, cutWith(change(join({ expiry: 8 }), [0, 1, 2]))))
    assert.notDeepEqual(
      requestId(table.context.charterId, join()),
      requestId(digestOf('another consortium'), join())
    )
  })

  it('is voted for once per round, and proposed with the votes of a quorum', () => {
    const proposer = table.proposer(0)
    const seat = table.sit(proposer)
    const signedRequest = { request: join(), own: ownOf(join()) }
    seat.take({ type: 'membershipRequest', signedRequest })
    seat.take({ type: 'membershipRequest', signedRequest })
    assert.equal(seat.said('membership-vote').length, 1)
    const others = firsts(4)
      .filter((member) => member !== proposer)
      .slice(0, 2)
    for (const member of others) {
      const other = table.sit(member)
      other.take({ type: 'membershipRequest', signedRequest })
      seat.hear(...other.said('membership-vote'))
    }
    seat.hear(...firsts(4).map((member) => table.ready(member, [])))
    const [proposal] = seat.said('proposal')
    assert.equal(proposal?.body.cut.membership.length, 1)
    assert.equal(judge(table.context, decodeEnvelope(proposal.bytes), verifyIdeal).verdict, 'accept')
  })

  it('reports a request that cannot take effect to the operator, and sends nothing', () => {
    const seat = table.sit(0)
    seat.take({
      type: 'membershipRequest',
      signedRequest: { request: join({ seal: digestOf('x') }), own: null }
    })
    assert.match(seat.done('requestRefused')[0]!.reason, /recent/)
    assert.equal(seat.said('membership-vote').length, 0)
  })

  it('rejects a membership vote that its author did not sign, or beyond the limit', () => {
    const { signer } = table.environment(1)
    const body = {
      request: join(),
      own: ownOf(join()),
      admit: signRequest(table.context.charterId, join(), signer)
    }
    assert.doesNotThrow(() => table.said(1, 'membership-vote', 0, body))
    assert.throws(() => table.said(1, 'membership-vote', 8, body), /membership vote 9, at most 8/)
    assert.throws(() => table.said(2, 'membership-vote', 0, body), /not valid/)
    assert.throws(() => table.said(1, 'membership-vote', 0, { ...body, admit: null }), /lacks one/)
  })
})
