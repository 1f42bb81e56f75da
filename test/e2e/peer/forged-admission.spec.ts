import assert from 'node:assert/strict'
import { type Identity, identityFromSeed } from '../../../src/node/home/identity.ts'
import { drawUpRequest, saveRequest, standingOf } from '../../../src/node/membership/request-files.ts'
import { hex, memberIndex, type RoundContext } from '../../../src/protocol/index.ts'
import type { ChangeRequest, MembershipChange } from '../../../src/protocol/messages/bodies.ts'
import { type SignedRequest, signRequest } from '../../../src/protocol/messages/membership.ts'
import { signMessage } from '../../../src/protocol/messages/message.ts'
import { proposerOf } from '../../../src/protocol/round/proposer.ts'
import { HostileMember } from './hostile-member.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const HONEST = [0, 1, 2]
const HOSTILE = 3

/** A way to make one signature look like a quorum's, and the reaction of the others. */
interface Forgery {
  readonly name: string
  readonly signers: (context: RoundContext, hostile: number) => readonly number[]
  readonly fault: RegExp
}

const FORGERIES: readonly Forgery[] = [
  {
    name: 'alone',
    signers: (_context, hostile) => [hostile],
    fault: /"kind":"proposal".*is not signed by a quorum/
  },
  {
    name: 'three times',
    signers: (_context, hostile) => [hostile, hostile, hostile],
    fault: /"kind":"proposal".*its signatures are not sorted by member/
  },
  {
    name: 'in the place of others',
    signers: ({ members }) => members.slice(0, 3).map((_, member) => member),
    fault: /"kind":"proposal".*is not signed by members of this round/
  }
]

describe('a hostile member among four that admits and evicts on its own', function () {
  this.timeout(240_000)
  let network: PeerNetwork
  let hostile: HostileMember
  let stranger: Identity

  before(async () => {
    network = await PeerNetwork.prepare(4)
    await network.start(...HONEST)
    const addresses = HONEST.flatMap((index) => [...network.watches[index]!.addresses])
    hostile = await HostileMember.join(network.prepared, HOSTILE, addresses)
    stranger = await identityFromSeed(new Uint8Array(32).fill(9))
    await network.until(() => HONEST.every((index) => network.watches[index]!.progress?.connected === 3))
    await network.untilSealed(1, ...HONEST)
  })
  after(async () => {
    await hostile?.stop()
    await network.end()
  })

  const peersOf = ({ members }: RoundContext) => members.map(({ peer }) => hex(peer)).sort()
  const joining = (context: RoundContext): SignedRequest =>
    drawUpRequest(
      { type: 'join', peerId: stranger.peerId, anchor: stranger.revealChain.anchor },
      standingOf(context),
      context.charterId,
      stranger.signer
    )
  const evicting = (context: RoundContext): SignedRequest =>
    drawUpRequest(
      { type: 'evict', peerId: network.prepared.peers[0]!.peerId },
      standingOf(context),
      context.charterId,
      hostile.identity.signer
    )
  const admission = (context: RoundContext, request: ChangeRequest) =>
    signRequest(context.charterId, request, hostile.identity.signer)

  /** Publishes valid votes for requests, and some in the name of another member. */
  const vote = async (context: RoundContext, ...requests: readonly SignedRequest[]) => {
    const { signer } = hostile.identity
    const other = context.members.find(({ peer }) => hex(peer) !== hex(signer.peer))!
    for (const [slot, { request, own }] of requests.entries()) {
      const body = { request, own, admit: admission(context, request) }
      for (const peer of [signer.peer, other.peer])
        await hostile.host
          .publish(signMessage(context, { ...signer, peer }, 'membership-vote', slot, body).bytes)
          .catch(() => undefined)
    }
  }
  const after2Rounds = async ({ round }: RoundContext) => {
    await network.untilSealed(round + 1, ...HONEST)
    assert(agree(network.watches))
    return hostile.context()
  }
  const isLogged = async (line: RegExp) =>
    (await Promise.all(HONEST.map((index) => network.log(index)))).every((log) => line.test(log))

  it('contributes one of the three votes needed', async () => {
    const before = await hostile.context()
    for (const context of [before, await after2Rounds(before)])
      await vote(context, joining(context), evicting(context))
    const later = await after2Rounds(await hostile.context())
    assert.deepEqual(peersOf(later), peersOf(before))
  })

  for (const { name, signers, fault } of FORGERIES)
    it(`gets no proposal accepted that it signed ${name}, and is named in the log`, async () => {
      const before = await hostile.context()
      while (!(await isLogged(fault))) {
        const context = await hostile.context()
        const self = memberIndex(context, hostile.identity.signer.peer)
        const forge = ({ request, own }: SignedRequest): MembershipChange => ({
          request,
          own,
          admits: signers(context, self).map((member) => ({ member, signature: admission(context, request) }))
        })
        const view = context.voters.map((_, each) => each).find((each) => proposerOf(context, each) === self)!
        for (const signed of [joining(context), evicting(context)]) {
          const cut = { entries: [], membership: [forge(signed)], evidence: [] }
          const proposal = { cut, validView: -1, readies: [] }
          await hostile.host
            .publish(signMessage(context, hostile.identity.signer, 'proposal', view, proposal).bytes)
            .catch(() => undefined)
        }
        await network.untilSealed(context.round, ...HONEST)
      }
      assert.deepEqual(peersOf(await after2Rounds(await hostile.context())), peersOf(before))
    })

  it('admits a stranger together with two others: its signature counts once', async () => {
    const before = await hostile.context()
    const wanted = joining(before)
    for (const index of [0, 1]) await saveRequest(network.prepared.peers[index]!.home, before, wanted)
    const hasJoined = ({ members }: RoundContext) => members.length === 5
    let context = before
    for (; !hasJoined(context); context = await hostile.context()) {
      await vote(context, wanted)
      await network.untilSealed(context.round, ...HONEST)
    }
    assert(memberIndex(context, stranger.signer.peer) >= 0)
    assert(agree(network.watches))
  })
})
