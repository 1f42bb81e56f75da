import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import {
  createRelay,
  RELAY_LIMITS,
  type RelayLimits,
  type RelayNode
} from '../../../src/node/network/index.ts'
import { AddressExchange } from '../../../src/node/network/peers/address-exchange.ts'
import { until } from '../../support/until.ts'
import { memoryLog, startHost, stopHosts, type TestHost, untilMeshed } from './hosts.ts'

describe('a relay', function () {
  this.timeout(60_000)
  const relays: RelayNode[] = []
  afterEach(async () => {
    await stopHosts()
    await Promise.all(relays.splice(0).map((relay) => relay.stop()))
  })

  const members = new Set<string>()
  const isAllowed = (peerId: PeerId) => members.has(peerId.toString())

  async function memberKey(): Promise<PrivateKey> {
    const key = await generateKeyPair('Ed25519')
    members.add(peerIdFromPrivateKey(key).toString())
    return key
  }

  async function startRelay(limits: RelayLimits = RELAY_LIMITS, privateKey?: PrivateKey, port = 0) {
    const relay = await createRelay({
      privateKey: privateKey ?? (await generateKeyPair('Ed25519')),
      listen: [`/ip4/127.0.0.1/tcp/${port}`],
      announce: [],
      upnp: false,
      limits,
      isAllowed,
      log: memoryLog()
    })
    await relay.start()
    relays.push(relay)
    return relay
  }

  /** A peer that listens nowhere: like one behind a router, it can only dial out. */
  async function hidden(relay: RelayNode, privateKey?: PrivateKey): Promise<TestHost> {
    return startHost({
      privateKey: privateKey ?? (await memberKey()),
      isAllowed,
      listen: [],
      reach: { relays: relay.multiaddrs() }
    })
  }

  /** The address of a hidden peer through a relay. */
  const through = (relay: RelayNode, peer: TestHost) =>
    `${relay.multiaddrs()[0]}/p2p-circuit/p2p/${peer.peerId}`

  it('lets two peers that can only dial out gossip with each other', async () => {
    const relay = await startRelay()
    const a = await hidden(relay)
    const b = await hidden(relay)
    await until(() => relay.load().reserved === 2)
    a.addAddresses([through(relay, b)])
    await untilMeshed(a, b)
    await a.publish(Buffer.from('through'))
    await until(() => b.heard.includes('through'))
    assert.deepEqual(a.reach().reservations, [relay.peerId.toString()])
    assert.deepEqual(a.relays().map(String), [relay.peerId.toString()])
    assert.deepEqual(a.peers().map(String), [b.peerId.toString()])
    assert(a.multiaddrs().some((address) => address.includes('/p2p-circuit')))
    assert.equal(relay.load().carried, 1)
    assert(a.libp2p.getConnections(b.peerId).every(({ limits }) => limits === undefined))
  })

  it('tells two peers behind NAT how to reach each other through it', async () => {
    const relay = await startRelay()
    const exchange = new AddressExchange({ host: relay, log: memoryLog() }, undefined)
    await exchange.start()
    const charter = new Uint8Array(32)
    const a = await hidden(relay)
    const b = await hidden(relay)
    const asking = [a, b].map((host) => new AddressExchange({ host, log: memoryLog() }, charter))
    for (const each of asking) await each.start()
    await untilMeshed(a, b)
    for (const each of [exchange, ...asking]) await each.stop()
  })

  it('carries no stranger, who cannot get past a member through it either', async () => {
    const relay = await startRelay()
    const a = await hidden(relay)
    await until(() => relay.load().reserved === 1)
    const strangerKey = await generateKeyPair('Ed25519')
    const stranger = await startHost({ privateKey: strangerKey, reach: { relays: relay.multiaddrs() } })
    // A dial may seem to succeed: the other side refuses once it knows who dialled.
    await assert.rejects(stranger.libp2p.dialProtocol(relay.libp2p.getMultiaddrs(), '/ipfs/ping/1.0.0'))
    // A relay that carries anybody.
    const careless = await createRelay({
      privateKey: await generateKeyPair('Ed25519'),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      upnp: false,
      limits: RELAY_LIMITS,
      isAllowed: () => true,
      log: memoryLog()
    })
    await careless.start()
    relays.push(careless)
    const b = await hidden(careless)
    const intruder = await startHost({ reach: { relays: careless.multiaddrs() } })
    await until(() => careless.load().reserved === 2)
    await assert.rejects(intruder.libp2p.dialProtocol(b.libp2p.getMultiaddrs(), '/ipfs/ping/1.0.0'))
    assert.deepEqual(b.peers(), [])
    assert(b.log.messages.some((message) => message.includes('not a member of this consortium')))
    assert.deepEqual(a.peers(), [])
  })

  it('is not a member: it gets no gossip, and members do not answer it', async () => {
    const relay = await startRelay()
    const a = await hidden(relay)
    const b = await hidden(relay)
    a.addAddresses([through(relay, b)])
    await untilMeshed(a, b)
    assert(!a.meshPeers().includes(relay.peerId.toString()))
    const connection = relay.libp2p.getConnections(a.peerId)[0]!
    await assert.rejects(connection.newStream('/loam/blocks/1').then((stream) => stream.close()))
  })

  it('may limit traffic: votes pass, and a connection that was cut is reopened', async () => {
    const relay = await startRelay({ ...RELAY_LIMITS, bytesPerConnection: 64 * 1024 })
    const a = await hidden(relay)
    const b = await hidden(relay)
    await until(() => relay.load().reserved === 2)
    a.addAddresses([through(relay, b)])
    await untilMeshed(a, b)
    assert(a.libp2p.getConnections(b.peerId).every(({ limits }) => limits !== undefined))
    const id = a.libp2p.getConnections(b.peerId)[0]!.id
    // More than one connection may carry in its lifetime.
    for (
      let index = 0;
      a.libp2p.getConnections(b.peerId).some((connection) => connection.id === id);
      index++
    ) {
      await a.publish(Buffer.alloc(16 * 1024, index))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await untilMeshed(a, b)
    await a.publish(Buffer.from('again'))
    await until(() => b.heard.includes('again'))
  })

  it('is found again after an outage', async () => {
    const key = await generateKeyPair('Ed25519')
    const relay = await startRelay(RELAY_LIMITS, key)
    const port = Number(/tcp\/(\d+)/.exec(relay.multiaddrs()[0]!)![1])
    const a = await hidden(relay)
    const b = await hidden(relay)
    await until(() => relay.load().reserved === 2)
    a.addAddresses([through(relay, b)])
    await untilMeshed(a, b)
    await relay.stop()
    await until(() => a.relays().length === 0 && b.relays().length === 0)
    const again = await startRelay(RELAY_LIMITS, key, port)
    await until(() => again.load().reserved === 2)
    await untilMeshed(a, b)
  })
})
