import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import {
  GOSSIP_BYTES_MAX,
  type RequestLimits,
  registerRequestHandler,
  request
} from '../../../src/node/network/index.ts'
import { until } from '../../support/until.ts'
import { startHost, stopHosts, untilMeshed } from './hosts.ts'

const withoutProbes = (heard: readonly string[]) => heard.filter((text) => !text.startsWith('probe'))

const LIMITS: RequestLimits = {
  maxRequestBytes: 100,
  maxResponseBytes: 100,
  timeoutMs: 5000,
  concurrency: 1,
  rate: { perSecond: 1, burst: 1 }
}

describe('the network host', function () {
  this.timeout(30_000)
  afterEach(stopHosts)

  it('delivers a message once to every peer, and nothing that the validator refuses', async () => {
    const validate = (text: string) => (text.startsWith('bad') ? 'reject' : 'accept')
    const a = await startHost({ validate })
    const b = await startHost({ bootstrap: [a], validate })
    const c = await startHost({ bootstrap: [a, b], validate })
    await untilMeshed(a, b, c)
    assert.equal(await a.publish(Buffer.from('one')), 2)
    await until(() => [b, c].every(({ heard }) => heard.includes('one')))
    assert.equal(await a.publish(Buffer.from('one')), 0)
    await a.publish(Buffer.from('bad'))
    await a.publish(Buffer.from('two'))
    await until(() => [b, c].every(({ heard }) => heard.includes('two')))
    for (const { heard } of [b, c]) assert.deepEqual(withoutProbes(heard), ['one', 'two'])
    assert.deepEqual(withoutProbes(a.heard), [])
    const sent = a.traffic.totals().get('gossip')!.sent
    assert(sent >= 2 * 'onebadtwo'.length)
  })

  it('does not count a message without receivers as published', async () => {
    const a = await startHost({})
    assert.equal(await a.publish(Buffer.from('early')), 0)
    const b = await startHost({ bootstrap: [a] })
    await untilMeshed(a, b)
    assert.equal(await a.publish(Buffer.from('early')), 1)
    await until(() => b.heard.includes('early'))
    await assert.rejects(a.publish(new Uint8Array(GOSSIP_BYTES_MAX + 1)), /too long to gossip/)
  })

  it('admits no stranger, and dials none', async () => {
    const memberKey = await generateKeyPair('Ed25519')
    const member = memberKey.publicKey.toCID().toString()
    const a = await startHost({ isAllowed: (peerId) => peerId.toCID().toString() === member })
    const stranger = await startHost({ bootstrap: [a] })
    const b = await startHost({ bootstrap: [a], privateKey: memberKey })
    await untilMeshed(a, b)
    await assert.rejects(stranger.libp2p.dialProtocol(a.libp2p.getMultiaddrs(), '/ipfs/ping/1.0.0'))
    await assert.rejects(a.libp2p.dial(stranger.libp2p.getMultiaddrs()))
    assert.deepEqual(a.peers().map(String), [b.peerId.toString()])
    await a.publish(Buffer.from('for members'))
    await until(() => b.heard.includes('for members'))
    assert.deepEqual(stranger.heard, [])
  })

  it('reconnects to a restarted peer, from either side', async () => {
    const key = await generateKeyPair('Ed25519')
    const a = await startHost({})
    const b = await startHost({ bootstrap: [a], privateKey: key })
    await untilMeshed(a, b)
    const address = b.libp2p.getMultiaddrs()[0]!.decapsulate('/p2p').toString()
    await b.stop()
    await until(() => a.peers().length === 0)
    // The restarted peer knows nobody: `a` remembers it from identify.
    const again = await startHost({ privateKey: key, listen: address })
    await untilMeshed(a, again)
    await a.publish(Buffer.from('welcome back'))
    await until(() => again.heard.includes('welcome back'))
    assert(a.knownAddresses().some((known) => known.startsWith(address)))
  })

  it('follows a peer to a new address, and forgets the old one once connected', async () => {
    const key = await generateKeyPair('Ed25519')
    const a = await startHost({})
    const b = await startHost({ bootstrap: [a], privateKey: key })
    await untilMeshed(a, b)
    await until(() => a.knownAddresses().includes(b.multiaddrs()[0]!))
    const old = b.multiaddrs()[0]!
    await b.stop()
    await until(() => a.peers().length === 0)
    const moved = await startHost({ privateKey: key })
    a.addAddresses([...moved.multiaddrs(), 'nonsense', '/ip4/127.0.0.1/tcp/1', ...a.multiaddrs()])
    await untilMeshed(a, moved)
    await until(() => !a.knownAddresses().includes(old))
    assert.deepEqual(a.knownAddresses(), moved.multiaddrs())
  })

  it('dials a known peer for a request, connected or not', async () => {
    const a = await startHost({})
    const b = await startHost({ bootstrap: [a] })
    await registerRequestHandler(a, '/loam/test-dial/1', async (bytes) => bytes, LIMITS, a.log)
    const options = { timeoutMs: 5000, maxResponseBytes: 100 }
    assert.deepEqual([...(await request(b, a.peerId, '/loam/test-dial/1', Uint8Array.of(7), options))], [7])
  })

  it('stops quickly even with open connections', async () => {
    const a = await startHost({})
    const b = await startHost({ bootstrap: [a] })
    await untilMeshed(a, b)
    await Promise.all([a.stop(), b.stop()])
    assert.deepEqual(a.peers(), [])
    assert(!a.log.messages.some((message) => message.includes('did not stop cleanly')))
  })
})
