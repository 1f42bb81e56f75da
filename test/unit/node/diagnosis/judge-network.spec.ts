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

describe('findings about a network', () => {
  it('is nothing where all is well, or where nobody else is in the consortium', () => {
    assert.deepEqual(judgeNetwork(network()), [])
    const alone = { others: 0, connected: 0, quorum: 1 }
    assert.deepEqual(
      judgeNetwork(
        network({ members: alone, bootstrap: [], clocks: [], observed: [], mesh: [], inbound: 0 })
      ),
      []
    )
  })

  it('is a note about an address that may answer again, as long as others are connected', () => {
    assert.deepEqual(finding({ bootstrap: [bootstrap(), refused] }), [
      'warning',
      `The bootstrap address ${refused.address}: Nothing listens on port 4001. What to do: Ask whether that peer runs.`
    ])
  })

  it('is to see to the addresses where nobody is connected', () => {
    const found = judgeNetwork(
      network({ members: { others: 3, connected: 0, quorum: 3 }, bootstrap: [refused], mesh: [] })
    )
    assert.deepEqual(
      found.map(({ level }) => level),
      ['action', 'action']
    )
    assert.match(found[1]!.text, /^No member is connected: rounds wait/)
  })

  it('is to name an address where there is none', () => {
    const [level, text] = finding({ members: { others: 3, connected: 0, quorum: 3 }, bootstrap: [] })
    assert.equal(level, 'action')
    assert.match(text, /--bootstrap ADDRESS/)
  })

  it('is to fix an address that will never answer, whoever else is connected', () => {
    for (const outcome of ['malformed', 'wrong-peer', 'not-a-member', 'refuses-us', 'other-protocol'])
      assert.equal(finding({ bootstrap: [bootstrap(), bootstrap({ ...refused, outcome })] })[0], 'action')
  })

  it('is to open or forward a port, or to name a relay, behind a router that lets nobody in', () => {
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

  it('is to open the firewall where others could not dial a public address', () => {
    const [, text] = finding({ autoNat: 'unreachable', inbound: 0 })
    assert.match(text, /could not dial its public address: a firewall is in the way.*Open TCP port 4001;/)
  })

  it('is to set the clock', () => {
    const clocks = [1, 2, 3].map((number) => ({ peerId: peer(number), aheadMs: -3_600_000, roundTripMs: 9 }))
    assert.deepEqual(finding({ clocks }), [
      'action',
      "This machine's clock is 60 min ahead of 3 of 3 peers. Synchronise it by NTP (timedatectl set-ntp true)."
    ])
  })

  it('is to listen where others can dial, and where nothing else listens', () => {
    const addresses = [{ address: '/ip4/127.0.0.1/tcp/4001', announced: true, kind: 'transport' }]
    assert.match(finding({ addresses })[1], /listens on the loopback interface only/)
    const local = bootstrap({ address: `/ip4/127.0.0.1/tcp/4002/p2p/${peer(1)}` })
    assert.deepEqual(judgeNetwork(network({ addresses, bootstrap: [local] })), [])
    assert.deepEqual(finding({ listenFault: 'cannot listen on /ip4/0.0.0.0/tcp/80: EACCES' }), [
      'action',
      'Cannot listen on /ip4/0.0.0.0/tcp/80: EACCES.'
    ])
  })

  it('is to wait for the quorum, to look at the mesh, or to agree on a version', () => {
    assert.match(finding({ members: { others: 3, connected: 1, quorum: 3 } })[1], /^Only 1 other member/)
    assert.match(finding({ mesh: [] })[1], /none is in the gossip mesh/)
    assert.match(
      finding({ incompatiblePeers: [{ peerId: peer(2), reason: 'it speaks version 2' }] })[1],
      /version 2\.$/
    )
  })

  it('is said with the most urgent first', () => {
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
