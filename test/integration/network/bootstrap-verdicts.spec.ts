import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { type BootstrapOutcome, diagnoseBootstrap } from '../../../src/node/network/peers/diagnose.ts'
import { type OwnHandshake, requestHandshake } from '../../../src/node/network/peers/handshake.ts'
import { Handshakes } from '../../../src/node/network/peers/handshakes.ts'
import { until } from '../../support/until.ts'
import { startHost, stopHosts, type TestHost } from './hosts.ts'

const self: OwnHandshake = { charter: new Uint8Array(32).fill(1), software: 'loam/test' }

describe('a bootstrap address', function () {
  this.timeout(60_000)
  const sockets: Socket[] = []
  const started: Handshakes[] = []
  const servers: Server[] = []
  afterEach(async () => {
    await Promise.all(started.splice(0).map((each) => each.stop()))
    await stopHosts()
    for (const server of servers.splice(0)) server.close()
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  async function shakeHands(host: TestHost, own: OwnHandshake = self, addresses: string[] = []) {
    const said: { outcomes: BootstrapOutcome[]; incompatiblePeers: string[] } = {
      outcomes: [],
      incompatiblePeers: []
    }
    const handshakes = new Handshakes(host, {
      self: own,
      addresses,
      admits: () => true,
      onVerdict: ({ outcome }) => void said.outcomes.push(outcome),
      onIncompatible: (_peer, reason) => void said.incompatiblePeers.push(reason),
      onCopy: () => {},
      onAlone: () => {},
      log: host.log
    })
    started.push(handshakes)
    await handshakes.start()
    return said
  }

  const someone = async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))

  async function portOf(onSocket: (socket: Socket) => void): Promise<number> {
    const server = createServer((socket) => {
      sockets.push(socket)
      onSocket(socket)
    })
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  async function closedPort(): Promise<number> {
    const port = await portOf(() => undefined)
    servers.pop()!.close()
    return port
  }

  const look = async (address: string, admits = true) =>
    diagnoseBootstrap(await startHost({}), address, { self, admits: () => admits })

  it('is answered', async () => {
    const host = await startHost({})
    await shakeHands(host)
    const verdict = await look(host.multiaddrs()[0]!)
    assert.equal(verdict.outcome, 'answers', verdict.reason)
    assert.match(verdict.handshake!.observed, /^\/ip4\/127\.0\.0\.1\/tcp\//)
    assert(Math.abs(verdict.handshake!.clockAheadMs) <= verdict.handshake!.roundTripMs + 1)
  })

  it('is answered by a relay with an allow list in place of a charter', async () => {
    const host = await startHost({})
    await shakeHands(host, { ...self, charter: undefined })
    assert.equal((await look(host.multiaddrs()[0]!)).outcome, 'answers')
  })

  it('is reported as refused at a closed port', async () => {
    const verdict = await look(`/ip4/127.0.0.1/tcp/${await closedPort()}/p2p/${await someone()}`)
    assert.equal(verdict.outcome, 'refused')
    assert(verdict.reason.includes('127.0.0.1') && verdict.advice.length > 0)
  })

  it('is reported when something else listens behind it silently', async () => {
    const port = await portOf(() => undefined)
    const verdict = await look(`/ip4/127.0.0.1/tcp/${port}/p2p/${await someone()}`)
    assert.equal(verdict.outcome, 'no-loam', verdict.reason)
  })

  it('is reported when another peer answers', async () => {
    const host = await startHost({})
    const address = host.multiaddrs()[0]!.replace(/\/p2p\/.*/, `/p2p/${await someone()}`)
    const verdict = await look(address)
    assert.equal(verdict.outcome, 'wrong-peer', verdict.reason)
    assert(verdict.reason.endsWith(`: ${host.peerId}`), verdict.reason)
  })

  it('is reported when its peer refuses this one', async () => {
    const host = await startHost({ isAllowed: () => false })
    await shakeHands(host)
    const verdict = await look(host.multiaddrs()[0]!)
    assert.equal(verdict.outcome, 'refuses-us', verdict.reason)
  })

  it('is reported when its peer belongs to another consortium or version', async () => {
    const other = await startHost({})
    await shakeHands(other, { ...self, charter: new Uint8Array(32) })
    assert.equal((await look(other.multiaddrs()[0]!)).outcome, 'other-consortium')
    const newer = await startHost({})
    await shakeHands(newer, { ...self, protocol: 2, software: 'loam/9.0.0' })
    const verdict = await look(newer.multiaddrs()[0]!)
    assert.equal(verdict.outcome, 'other-protocol')
    assert.match(verdict.reason, /version 2 .*loam\/9\.0\.0/)
    const silent = await startHost({})
    assert.equal((await look(silent.multiaddrs()[0]!)).outcome, 'other-protocol')
  })

  it('is reported with an unknown host name, when malformed, its own, or not a member’s', async () => {
    const unknown = await look(`/dns4/no-such-host.invalid/tcp/4001/p2p/${await someone()}`)
    assert.equal(unknown.outcome, 'unknown-name', unknown.reason)
    assert.equal((await look('/ip4/127.0.0.1/tcp/1')).outcome, 'malformed')
    const host = await startHost({})
    const own = await diagnoseBootstrap(host, host.multiaddrs()[0]!, { self, admits: () => true })
    assert.equal(own.outcome, 'self')
    assert.equal((await look(`/ip4/127.0.0.1/tcp/1/p2p/${await someone()}`, false)).outcome, 'not-a-member')
  })

  it('is logged when it fails, and retried', async () => {
    const host = await startHost({})
    const address = `/ip4/127.0.0.1/tcp/${await closedPort()}/p2p/${await someone()}`
    const { outcomes } = await shakeHands(host, self, [address])
    await until(() => outcomes.length > 0)
    assert.deepEqual(outcomes, ['refused'])
    assert(host.log.messages.some((line) => line.includes(address) && line.includes('"outcome":"refused"')))
  })

  it('logs a version mismatch on both sides, once each', async () => {
    const old = await startHost({})
    const atOld = await shakeHands(old)
    const newer = await startHost({ bootstrap: [old] })
    const atNewer = await shakeHands(newer, { ...self, protocol: 2 })
    await until(() => atOld.incompatiblePeers.length > 0 && atNewer.incompatiblePeers.length > 0)
    await requestHandshake(newer, old.peerId, { ...self, protocol: 2 })
    assert.equal(atOld.incompatiblePeers.length, 1)
    assert.match(atOld.incompatiblePeers[0]!, /this one has to be updated$/)
    assert.match(atNewer.incompatiblePeers[0]!, /it has to be updated$/)
  })
})
