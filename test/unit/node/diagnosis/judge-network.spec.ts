import assert from 'node:assert/strict'
import { judgeNetwork, type NetworkView } from '../../../../src/node/diagnosis/index.ts'
import { bootstrap, network, peer } from './network-example.ts'

const refused = bootstrap({
  outcome: 'refused',
  reason: 'nothing listens on port 4001',
  advice: 'ask whether that peer runs'
})

/** The only finding about a network: its level and its text. */
function finding(changes: Partial<NetworkView>): [string, string] {
  const findings = judgeNetwork(network(changes))
  assert.equal(findings.length, 1, JSON.stringify(findings))
  return [findings[0]!.level, findings[0]!.text]
}

describe('diagnosis of a network', () => {
  it('finds nothing when all is well, or nobody else is in the consortium', () => {
    assert.deepEqual(judgeNetwork(network()), [])
    const alone = { others: 0, connected: 0, quorum: 1 }
    assert.deepEqual(
      judgeNetwork(
        network({ members: alone, bootstrap: [], clocks: [], observed: [], mesh: [], inbound: 0 })
      ),
      []
    )
  })

  it('only notes an unreachable address while others are connected', () => {
    assert.deepEqual(finding({ bootstrap: [bootstrap(), refused] }), [
      'warning',
      `The bootstrap address ${refused.address}: Nothing listens on port 4001. What to do: Ask whether that peer runs.`
    ])
  })

  it('asks to check the addresses when nobody is connected', () => {
    const found = judgeNetwork(
      network({ members: { others: 3, connected: 0, quorum: 3 }, bootstrap: [refused], mesh: [] })
    )
    assert.deepEqual(
      found.map(({ level }) => level),
      ['action', 'action']
    )
    assert.match(found[1]!.text, /^No member is connected: rounds wait/)
  })

  it('asks for a bootstrap address when there is none', () => {
    const [level, text] = finding({ members: { others: 3, connected: 0, quorum: 3 }, bootstrap: [] })
    assert.equal(level, 'action')
    assert.match(text, /--bootstrap ADDRESS/)
  })

  it('asks to fix an address that can never work, even while others are connected', () => {
    for (const outcome of ['malformed', 'wrong-peer', 'not-a-member', 'refuses-us', 'other-protocol'])
      assert.equal(finding({ bootstrap: [bootstrap(), bootstrap({ ...refused, outcome })] })[0], 'action')
  })

  it('asks to forward a port, or to use a relay, behind NAT', () => {
    const behind: Partial<NetworkView> = {
      observed: [{ peerId: peer(1), address: '/ip4/203.0.113.9/tcp/61000', isOwn: false }],
      inbound: 0
    }
    const [level, text] = finding(behind)
    assert.equal(level, 'warning')
    assert.match(text, /behind a router: others see it at 203\.0\.113\.9/)
    assert.match(
      text,
      /port 4001 and forward it .* --announce \/ip4\/203\.0\.113\.9\/tcp\/4001; .* --upnp; .* --relay/
    )
    assert.equal(finding({ ...behind, members: { others: 3, connected: 2, quorum: 3 } })[0], 'action')
    for (const way of [
      { reservations: [peer(9)] },
      { inbound: 1 },
      { autoNat: 'reachable' }
    ] satisfies Partial<NetworkView>[])
      assert.deepEqual(judgeNetwork(network({ ...behind, ...way })), [])
  })

  it('asks to open the firewall when others cannot dial a public address', () => {
    const [, text] = finding({ autoNat: 'unreachable', inbound: 0 })
    assert.match(text, /could not dial its public address: a firewall is in the way.*Open TCP port 4001;/)
  })

  it('asks to set the clock', () => {
    const clocks = [1, 2, 3].map((number) => ({ peerId: peer(number), aheadMs: -3_600_000, roundTripMs: 9 }))
    assert.deepEqual(finding({ clocks }), [
      'action',
      "This machine's clock is 60 min ahead of 3 of 3 peers. Synchronise it by NTP (timedatectl set-ntp true)."
    ])
  })

  it('asks to listen on a reachable address, and on a free port', () => {
    const addresses = [{ address: '/ip4/127.0.0.1/tcp/4001', announced: true, kind: 'transport' }]
    assert.match(finding({ addresses })[1], /listens on the loopback interface only/)
    const local = bootstrap({ address: `/ip4/127.0.0.1/tcp/4002/p2p/${peer(1)}` })
    assert.deepEqual(judgeNetwork(network({ addresses, bootstrap: [local] })), [])
    assert.deepEqual(finding({ listenFault: 'cannot listen on /ip4/0.0.0.0/tcp/80: EACCES' }), [
      'action',
      'Cannot listen on /ip4/0.0.0.0/tcp/80: EACCES.'
    ])
  })

  it('asks to wait for the quorum, to look at the mesh, or to agree on a version', () => {
    assert.match(finding({ members: { others: 3, connected: 1, quorum: 3 } })[1], /^Only 1 other member/)
    assert.match(finding({ mesh: [] })[1], /none is in the gossip mesh/)
    assert.match(
      finding({ incompatiblePeers: [{ peerId: peer(2), reason: 'it speaks version 2' }] })[1],
      /version 2\.$/
    )
  })

  it('lists the most urgent finding first', () => {
    const found = judgeNetwork(
      network({
        mesh: [],
        bootstrap: [refused],
        clocks: [{ peerId: peer(1), aheadMs: 60_000, roundTripMs: 5 }]
      })
    )
    assert.deepEqual(
      found.map(({ level }) => level),
      ['action', 'warning', 'warning']
    )
  })
})
