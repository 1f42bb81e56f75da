import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { until } from '../../support/until.ts'
import { startHost, stopHosts, untilMeshed } from './hosts.ts'

const hasIp6 = Object.values(networkInterfaces()).some((each) =>
  each?.some(({ address }) => address === '::1')
)

describe('transports', function () {
  this.timeout(30_000)
  afterEach(stopHosts)

  async function gossips(listen: string) {
    const a = await startHost({ listen })
    const b = await startHost({ bootstrap: [a], listen: [] })
    await untilMeshed(a, b)
    await b.publish(Buffer.from('hello'))
    await until(() => a.heard.includes('hello'))
    return { a, b }
  }

  it('gossip over WebSocket', async () => {
    const { a, b } = await gossips('/ip4/127.0.0.1/tcp/0/ws')
    assert(a.multiaddrs()[0]!.includes('/ws/p2p/'))
    assert(b.libp2p.getConnections()[0]!.remoteAddr.toString().includes('/ws'))
  })

  it('gossip over IPv6', async function () {
    if (!hasIp6) return this.skip()
    const { b } = await gossips('/ip6/::1/tcp/0')
    assert(b.libp2p.getConnections()[0]!.remoteAddr.toString().startsWith('/ip6/::1'))
  })

  it('listen on IPv4 when IPv6 is configured too, available or not', async () => {
    const a = await startHost({ listen: ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0'] })
    assert(a.multiaddrs().some((address) => address.startsWith('/ip4/127.0.0.1/tcp/')))
  })

  it('dial no WebSocket address when WebSocket is disabled', async () => {
    const a = await startHost({ listen: '/ip4/127.0.0.1/tcp/0/ws' })
    const b = await startHost({ listen: [], reach: { webSocket: false } })
    await assert.rejects(b.libp2p.dial(a.libp2p.getMultiaddrs()))
  })

  it('announce configured addresses beside those listened on', async () => {
    const a = await startHost({ reach: { announce: ['/dns4/lab.example.org/tcp/4001'] } })
    const told = a.multiaddrs()
    assert(told.includes(`/dns4/lab.example.org/tcp/4001/p2p/${a.peerId}`))
    assert(told.some((address) => address.startsWith('/ip4/127.0.0.1')))
  })

  it('find members via the hash table, under a protocol name of the consortium', async () => {
    const reach = { dht: true }
    const a = await startHost({ reach })
    const b = await startHost({ bootstrap: [a], reach })
    const c = await startHost({ bootstrap: [a], reach })
    await untilMeshed(a, b)
    const { protocols } = await c.libp2p.peerStore.get(c.peerId)
    assert(protocols.includes('/loam/test/1/kad'))
    await until(async () => {
      try {
        return (await c.libp2p.peerRouting.findPeer(b.peerId)).id.equals(b.peerId)
      } catch {
        return false
      }
    })
  })
})
