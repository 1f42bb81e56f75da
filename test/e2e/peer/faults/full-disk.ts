import assert from 'node:assert/strict'
import type { Phase } from '../../../../src/protocol/index.ts'
import { lastLine, loam } from '../../cli/loam.ts'
import { agree, type PeerNetwork } from '../peer-network.ts'
import type { SmallDisk } from './small-disk.ts'

/** Fills the disk of one member in two phases of a round. */
export function fullDisk(
  network: () => PeerNetwork,
  member: number,
  disk: () => SmallDisk | undefined
): void {
  describe('a member whose disk is full', () => {
    const others = [0, 1, 2, 3].filter((index) => index !== member)

    before(function () {
      if (disk() !== undefined) return
      console.error('      skipped: a small disk for the test cannot be mounted here (needs Linux and root)')
      this.skip()
    })

    for (const phase of ['training', 'stacking'] satisfies Phase[]) {
      it(`in ${phase} delays nobody, and continues once there is space`, async () => {
        const victim = network().watches[member]!
        await network().until(() => victim.progress?.phase === phase)
        disk()!.fill()
        const { round } = victim.progress!
        await network().untilSealed(round + 1, ...others)
        assert(network().lastSealed(member) <= round, 'it had no room for a sealed round')
        disk()!.free()
        const reached = Math.max(...others.map((index) => network().lastSealed(index))) + 1
        await network().untilSealed(reached, ...others, member)
        assert(agree(network().watches))
      })
    }

    it('logged the full disk, and is ready again', async () => {
      assert.match(await network().log(member), /free some space/)
      const { folder } = network().prepared.peers[member]!.home
      const status = await loam('status', '--home', folder, '--json')
      assert.equal(lastLine<{ ready: boolean }>(status).ready, true)
    })
  })
}
