import assert from 'node:assert/strict'
import { networkSettings } from '../../../../src/node/config/groups/network.ts'
import { addressFault, transportFault } from '../../../../src/node/config/transports.ts'

const PEER = '/p2p/12D3KooWPfHSWNAA9g9bFEYqopbXqzd3M26mVswAawP9F4YjzWxG'

describe('addresses with unsupported transports', () => {
  it('are refused with an alternative', () => {
    for (const [address, name] of [
      ['/ip4/192.0.2.7/udp/4001/quic-v1', 'QUIC'],
      ['/ip4/192.0.2.7/udp/4001/quic-v1/webtransport', 'QUIC'],
      ['/ip4/192.0.2.7/udp/4001/webrtc-direct', 'WebRTC'],
      ['/ip4/192.0.2.7/udp/4001', 'UDP']
    ] as const) {
      assert.match(transportFault(address + PEER)!, new RegExp(`address of ${name}, and Loam speaks TCP`))
      for (const key of ['bootstrap', 'relays', 'announce', 'listen'])
        assert.match(
          networkSettings.safeParse({ [key]: [address + PEER] }).error!.issues[0]!.message,
          new RegExp(`${name}, and Loam speaks TCP and WebSocket: give the /tcp/ address`)
        )
    }
  })

  it('and those that can only be listened on are refused where others dial', () => {
    for (const [address, message] of [
      [
        '/ip4/0.0.0.0/tcp/4001',
        /0\.0\.0\.0 stands for all addresses of the machine.*give the \/tcp\/ address/
      ],
      ['/ip6/::/tcp/4001', /:: stands for all addresses/],
      ['/ip4/192.0.2.7/tcp/0', /port 0 stands for any free port/]
    ] as const) {
      for (const key of ['bootstrap', 'relays', 'announce'])
        assert.match(
          networkSettings.safeParse({ [key]: [address + PEER] }).error!.issues[0]!.message,
          message,
          `${key} ${address}`
        )
      assert.match(addressFault(address + PEER, 'dial')!, message)
      assert.equal(addressFault(address), undefined)
      assert.ok(networkSettings.safeParse({ listen: [address] }).success)
    }
  })

  it('do not include those that Loam dials', () => {
    for (const address of [
      `/ip4/192.0.2.7/tcp/4001${PEER}`,
      `/dns4/lab.example.org/tcp/443/wss${PEER}`,
      `/ip6/::1/tcp/4001/ws${PEER}`,
      `/ip4/192.0.2.7/tcp/4001${PEER}/p2p-circuit${PEER}`
    ]) {
      assert.equal(transportFault(address), undefined)
      assert.ok(networkSettings.safeParse({ bootstrap: [address] }).success, address)
    }
    assert.equal(transportFault('nonsense'), undefined)
  })
})
