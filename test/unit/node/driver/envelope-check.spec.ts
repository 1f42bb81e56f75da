import assert from 'node:assert/strict'
import type { PeerId } from '@libp2p/interface'
import { digestOf, simulatedConsortium } from '../../../../sim/consortium/simulated-consortium.ts'
import { EnvelopeCheck } from '../../../../src/node/driver/envelope-check.ts'
import type { NetworkHost } from '../../../../src/node/network/index.ts'
import { peerIdText } from '../../../../src/node/storage/peer-id-text.ts'
import { createSigner, verifyEd25519 } from '../../../../src/protocol/encoding/signature.ts'
import { signMessage } from '../../../../src/protocol/messages/message.ts'
import { genesisContext } from '../../../../src/protocol/round/context.ts'
import { NO_MESSAGES, withKept } from '../../../../src/protocol/state/slots.ts'
import { memoryLog } from '../memory-log.ts'

const { signed, signers } = simulatedConsortium(4, {}, (index) => createSigner(digestOf(`edge ${index}`)))
const context = genesisContext(signed)
const next = { ...context, round: 2, parent: digestOf('not known yet') }
const [self, liar] = [signers[0]!, signers[1]!]

/** A check, and the peers that it blames. */
function createCheck() {
  const charged: string[] = []
  const log = memoryLog()
  const report = (peerId: PeerId, offence: string) => charged.push(`${offence} ${peerId}`)
  const host = { limits: { report } } as unknown as NetworkHost
  const environment = { signer: self, verify: verifyEd25519 }
  const check = new EnvelopeCheck({ environment, host, log }, () => 0)
  return {
    charged,
    log,
    take(bytes: Uint8Array, of = context, messages = NO_MESSAGES, way: 'gossip' | 'sync' = 'gossip') {
      return check.check({ context: of, messages, view: -1 }, bytes, 'somebody', way)
    }
  }
}

describe('the envelope check of the node', () => {
  it('blames the signer of what no honest member signs, not the forwarder, once per round', () => {
    const { take, charged, log } = createCheck()
    for (const slot of [1, 2]) {
      const { bytes } = signMessage(context, liar, 'ready', slot, { certified: new Uint8Array(1) })
      assert.equal(take(bytes).verdict, 'fault')
    }
    const early = signMessage(next, liar, 'ready', 1, { certified: new Uint8Array(1) })
    assert.equal(take(early.bytes).verdict, 'fault')
    const name = peerIdText(liar.peer)
    assert.deepEqual(charged, new Array(3).fill(`false ${name}`))
    assert.equal(log.messages.filter((line) => line.includes('protocol violation by a member')).length, 1)
  })

  it('rejects what no honest peer forwards: undecodable bytes and invalid signatures', () => {
    const { take, charged } = createCheck()
    const forged = signMessage(context, { peer: liar.peer, sign: self.sign }, 'ready', 0, {
      certified: new Uint8Array(1)
    })
    assert.equal(take(forged.bytes).verdict, 'reject')
    assert.equal(take(Buffer.from('garbage')).verdict, 'reject')
    assert.deepEqual(charged, [], 'the network blames the forwarder')
  })

  it('accepts from each author as many as a round can need by gossip, more by sync, and names authors that send more', () => {
    for (const [way, most] of [
      ['gossip', 144],
      ['sync', 528]
    ] as const) {
      const { take, log } = createCheck()
      let taken = 0
      for (let view = 0; view < 700; view++) {
        const { bytes } = signMessage(context, liar, 'prevote', 1_000 + view, { cut: null })
        if (take(bytes, context, NO_MESSAGES, way).verdict === 'accept') taken++
      }
      assert.equal(taken, most, way)
      assert.equal(log.messages.filter((line) => line.includes('the excess is dropped')).length, 1)
      const other = signMessage(context, signers[2]!, 'prevote', 0, { cut: null })
      assert.equal(take(other.bytes, context, NO_MESSAGES, way).verdict, 'accept', 'another author')
    }
  })

  it('verifies no message of an author that has used up its budget, and counts none that is forged', () => {
    const { take, charged } = createCheck()
    const vote = (view: number, sign = liar.sign) =>
      take(signMessage(context, { peer: liar.peer, sign }, 'prevote', 1_000 + view, { cut: null }).bytes)
        .verdict
    for (let forged = 0; forged < 300; forged++) assert.equal(vote(forged, self.sign), 'reject')
    for (let view = 0; view < 144; view++)
      assert.equal(vote(view), 'accept', 'forgeries took nothing from it')
    assert.equal(vote(144), 'ignore')
    assert.equal(vote(145, self.sign), 'ignore', 'its signature is false')
    assert.deepEqual(charged, [])
  })

  it('does not verify a vote superseded by a later one of its author', () => {
    const { take } = createCheck()
    const vote = (view: number) => signMessage(context, liar, 'prevote', view, { cut: null })
    const { event } = take(vote(9).bytes)
    assert(event?.type === 'message')
    const messages = withKept(NO_MESSAGES, 'prevote', 9, event.message.author, [event.message])
    const bytes = Buffer.from(vote(5).bytes)
    bytes[bytes.length - 1]! ^= 1
    assert.equal(take(bytes, context, messages).verdict, 'ignore', 'its signature is false')
    assert.equal(take(vote(10).bytes, context, messages).verdict, 'accept')
    assert.equal(take(vote(1).bytes, context, messages).verdict, 'accept', 'the next view counts')
  })

  it('forwards early envelopes of the next round, eight per author, and resets with each round', () => {
    const { take } = createCheck()
    const vote = (view: number, of = next) => signMessage(of, liar, 'prevote', view, { cut: null }).bytes
    for (let view = 0; view < 8; view++) assert.equal(take(vote(view)).event?.type, 'early')
    assert.deepEqual(take(vote(8)), { verdict: 'ignore' })
    assert.deepEqual(take(vote(0)), { verdict: 'ignore' }, 'it is known')
    const after = { ...next, round: 3 }
    assert.equal(take(vote(0, after), next).verdict, 'accept')
  })
})
