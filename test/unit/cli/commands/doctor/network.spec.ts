import assert from 'node:assert/strict'
import { networkSection, networkText } from '../../../../../src/cli/commands/doctor/network.ts'
import { bootstrap, network, peer } from '../../../node/diagnosis/network-example.ts'
import { temporaryHome } from '../../../node/temporary-home.ts'

describe('the network in loam doctor', () => {
  it('is printed in 80 columns, with every address and verdict', () => {
    const view = network({
      mesh: null,
      observed: [{ peerId: peer(1), address: '/ip4/203.0.113.9/tcp/61000', isOwn: false }],
      reservations: [peer(8)],
      addresses: [{ address: '/ip6/2001:db8::1/tcp/4001', announced: false, kind: 'transport' }],
      bootstrap: [bootstrap(), bootstrap({ outcome: 'other-consortium', roundTripMs: null })]
    })
    const text = networkText(view)
    for (const line of text.split('\n')) assert(line.length <= 80, line)
    for (const said of [
      peer(0),
      'a NAT: others see 203.0.113.9',
      '3 of 3 others connected, quorum 3',
      'not announced\n  /ip6/2001:db8::1/tcp/4001',
      'answers ',
      'other-consortium ',
      '/ip4/198.51.100.7/tcp/4001',
      '0.01 s behind the median of 3 peer(s)'
    ])
      assert(text.includes(said), `${said} in\n${text}`)
    assert(!text.includes('gossip mesh'))
  })

  it('is skipped without a home', async () => {
    const { home, remove } = await temporaryHome()
    after(remove)
    const { result, text, actions } = await networkSection.examine({ home: home.folder, settings: {} })
    assert.equal(result, null)
    assert.match(text.replace(/\s+/g, ' '), /is not the home of a peer/)
    assert.equal(actions, undefined)
  })
})
