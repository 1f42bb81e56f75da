import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { SHIPPED_BASE } from '../../support/tiny-base.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const EVERYBODY = [0, 1, 2, 3]
const HONEST = [0, 1, 2]
const POISONED = 3

describe('a charter with a held-out veto, and one member whose update does harm', function () {
  this.timeout(180_000)
  let network: PeerNetwork

  before(async () => {
    // A model that has learned something: harm shows in its loss alone.
    network = await PeerNetwork.prepare(
      4,
      { heldOutMargin: 0.5, timeouts: { gatherMs: 8_000 } },
      SHIPPED_BASE
    )
    const { home } = network.prepared.peers[POISONED]!
    const settings = JSON.parse(await readFile(home.config, 'utf8'))
    // It trains, signs and serves as the others do; only what it learned is far off.
    settings.training.learningRate = 0.4
    await writeFile(home.config, JSON.stringify(settings))
    await network.start(...EVERYBODY)
  })
  after(() => network.end())

  it('leaves its shards out of the cut, and stacks the others', async () => {
    const stacked = (index: number) => network.watches[index]!.sealed.find(({ cut }) => cut.length > 0)
    // On a busy machine a round may come and go before anybody has measured anything.
    await network.until(() => HONEST.every((index) => stacked(index) !== undefined))
    const { round, cut } = stacked(0)!
    const { peerId } = network.prepared.peers[POISONED]!
    assert(!cut.some((entry) => entry.peerId === peerId))
    const refusals = HONEST.filter((index) =>
      network.watches[index]!.heldOut.some(
        (report) => report.round === round && report.peerId === peerId && report.isRefused
      )
    )
    assert(refusals.length >= 2, 'so many refusals keep a quorum of three from it')
    for (const index of refusals)
      assert.match(await network.log(index), /it raises the held-out loss from [0-9.]+ to [0-9.]+/)
    for (const { heldOut } of network.watches)
      for (const report of heldOut) assert.equal(report.isRefused, report.peerId === peerId)
    assert(agree(network.watches))
  })
})
