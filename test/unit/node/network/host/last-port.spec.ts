import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { withLastPorts } from '../../../../../src/node/network/host/last-port.ts'

const PEER = '/p2p/12D3KooWLhwPWTaxdVBmAHEqNDYv8GPMPvaCBQG8RRmAmnR2nKX5'

/** A server on a port that was free. */
async function occupied(): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port }
}

describe('listening on port 0', () => {
  it('reuses the last port if it is free, and any other if not', async () => {
    const { server, port } = await occupied()
    const last = [`/ip4/127.0.0.1/tcp/${port}${PEER}`]
    for (const address of ['/ip4/127.0.0.1/tcp/0', '/ip4/0.0.0.0/tcp/0'])
      assert.deepEqual(await withLastPorts([address], last), [address])
    server.close()
    await once(server, 'close')
    for (const host of ['127.0.0.1', '0.0.0.0'])
      assert.deepEqual(await withLastPorts([`/ip4/${host}/tcp/0`], last), [`/ip4/${host}/tcp/${port}`])
  })

  it('reuses a port only for the same kind of address, of this machine, and once', async () => {
    const { server, port } = await occupied()
    server.close()
    await once(server, 'close')
    const tcp = '/ip4/127.0.0.1/tcp/0'
    const socket = `${tcp}/ws`
    const last = `/ip4/127.0.0.1/tcp/${port}`
    assert.deepEqual(await withLastPorts([tcp, socket, tcp], [last]), [last, socket, tcp])
    assert.deepEqual(await withLastPorts([socket], [`${last}/ws${PEER}`]), [`${last}/ws`])
    for (const other of [
      `/ip4/192.0.2.7/tcp/${port}`,
      `/ip6/::1/tcp/${port}`,
      `/dns4/a.example/tcp/${port}`,
      `${last}${PEER}/p2p-circuit`
    ])
      assert.deepEqual(await withLastPorts([tcp], [other]), [tcp], other)
  })

  it('leaves a configured port unchanged', async () => {
    const addresses = ['/ip4/127.0.0.1/tcp/4001', '/ip4/127.0.0.1/udp/0']
    assert.deepEqual(await withLastPorts(addresses, ['/ip4/127.0.0.1/tcp/4002']), addresses)
  })
})
