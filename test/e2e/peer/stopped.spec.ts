import assert from 'node:assert/strict'
import { agree, PeerNetwork } from './peer-network.ts'

const OTHERS = [0, 1, 2]
const LATE = 3

describe('a peer that is stopped, slow or gone', function () {
  this.timeout(240_000)
  let network: PeerNetwork

  before(async () => {
    network = await PeerNetwork.prepare(4)
    await network.start(0, 1, 2, 3)
    await network.untilSealed(1, ...OTHERS, LATE)
  })
  after(() => network.end())

  const lastOfOthers = () => Math.max(...OTHERS.map((index) => network.lastSealed(index)))
  /** The late one is in a cut again, that is: it has caught up, trained and been heard in time. */
  const untilStacked = (after: number) => {
    const { peerId } = network.prepared.peers[LATE]!
    return network.until(() =>
      network.watches[0]!.sealed.some(
        ({ round, cut }) => round > after && cut.some((entry) => entry.peerId === peerId)
      )
    )
  }

  it('is not waited for while it is stopped (SIGSTOP), and takes part again at once when it goes on', async () => {
    const pid = network.pid(LATE)
    process.kill(pid, 'SIGSTOP')
    let stopped: number
    try {
      stopped = lastOfOthers()
      await network.untilSealed(stopped + 3, ...OTHERS)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await untilStacked(stopped + 3)
    assert(agree(network.watches))
  })

  it('is not waited for while it gets a tenth of the time', async () => {
    const pid = network.pid(LATE)
    let turn = 0
    const throttle = setInterval(() => process.kill(pid, turn++ % 10 === 0 ? 'SIGCONT' : 'SIGSTOP'), 50)
    const slow = lastOfOthers()
    try {
      await network.untilSealed(slow + 2, ...OTHERS)
    } finally {
      clearInterval(throttle)
      process.kill(pid, 'SIGCONT')
    }
    await untilStacked(slow)
    assert(agree(network.watches))
  })

  it('is not waited for when it is gone, and takes part again when it is back after some rounds', async () => {
    await network.kill(LATE)
    const gone = lastOfOthers()
    await network.untilSealed(gone + 4, ...OTHERS)
    await network.startAlone(LATE)
    await untilStacked(gone + 4)
    assert(agree(network.watches))
  })
})
