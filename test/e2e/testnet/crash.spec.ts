import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { roundFiles } from '../../../src/node/home/home.ts'
import { type SmallTestnet, smallTestnet } from './small-testnet.ts'

describe('a peer of four that is killed in the middle of a round', function () {
  this.timeout(240_000)
  let testnet: SmallTestnet

  before(async () => {
    testnet = await smallTestnet(4, 3)
  })
  after(() => testnet.end())

  it('is not waited for, catches up when it is back, and seals the next round', async () => {
    const { run } = testnet
    const [, , , victim] = run.views
    await run.start()
    await run.untilSealed(1)
    await run.until(() => victim!.progress?.round === 2 && victim!.progress.step >= 1)
    await run.killPeer(3)
    const others = run.views.slice(0, 3)
    await run.until(() => others.every(({ sealed }) => sealed.some(({ round }) => round === 2)))
    assert.equal(victim!.sealed.length, 1)

    run.startPeer(3, run.views[0]!.addresses)
    await run.untilSealed(3)
    const digestsOf = (index: number) => run.views[index]!.sealed.map(({ modelDigest }) => modelDigest)
    for (const index of [1, 2, 3]) assert.deepEqual(digestsOf(index), digestsOf(0))
    const stacks = await Promise.all(run.views.map(({ peer }) => readFile(roundFiles(peer.home, 2).stack)))
    for (const stack of stacks) assert.deepEqual(stack, stacks[0])
    assert.equal(others[0]!.sealed[1]!.cut.length, 3, 'the killed peer is not in the cut of its round')
  })
})
