import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { roundFiles } from '../../../src/node/home/home.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const EVERYBODY = [0, 1, 2, 3]

/** Changes one bit of a file in place, as a failing disk does. */
async function flipBit(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    const byte = Buffer.alloc(1)
    // The last float's exponent: a change that no sum rounds away.
    await file.read(byte, 0, 1, size - 1)
    byte[0]! ^= 1
    await file.write(byte, 0, 1, size - 1)
  } finally {
    await file.close()
  }
}

describe('a peer whose own build is not what the others sealed', function () {
  this.timeout(180_000)
  let network: PeerNetwork

  before(async () => {
    network = await PeerNetwork.prepare(4)
    await network.start(...EVERYBODY)
  })
  after(() => network.end())

  it('votes on, gets the sealed model again, and is in a later cut', async () => {
    const { home, peerId } = network.prepared.peers[3]!
    await network.untilSealed(1, 3)
    await flipBit(roundFiles(home, 1).model)
    const { sealed } = network.watches[3]!
    const log = () => network.log(3)
    // The build of round 2 may have read the file before: the next one has not.
    const diverged = /"round":(\d+),"built":"[0-9a-f]{64}".*the own build is not what the others sealed/
    await network.until(() => network.lastSealed(3) >= 2)
    const match = diverged.exec(await log())
    assert(match !== null, 'the damaged model leads to another digest')
    const round = Number(match[1])
    await network.until(() =>
      sealed.some((report) => report.round > round && report.cut.some((entry) => entry.peerId === peerId))
    )
    assert.match(await log(), /the checkpoint has the sealed digest/)
    assert(agree(network.watches))
    assert.equal((await log()).match(/the own build is not what the others sealed/g)!.length, 1)
  })
})
