import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { roundFiles } from '../../../../src/node/home/home.ts'
import { agree, type PeerNetwork } from '../peer-network.ts'

const EVERYBODY = [0, 1, 2, 3]
const VICTIM = 1

/** Deletes files under a running daemon. */
export function deletedFiles(network: () => PeerNetwork): void {
  describe('a member whose files are deleted while it runs', () => {
    it('delays nobody, signs nothing twice, and recovers after a restart', async () => {
      const { home } = network().prepared.peers[VICTIM]!
      await network().until(() => network().watches[VICTIM]!.progress?.phase === 'gathering')
      for (const name of readdirSync(home.blocks)) await rm(join(home.blocks, name), { force: true })
      for (const round of readdirSync(home.rounds).map(Number))
        for (const path of [roundFiles(home, round).model, roundFiles(home, round).stack])
          await rm(path, { force: true })
      await rm(home.writeAheadLog)
      const others = EVERYBODY.filter((index) => index !== VICTIM)
      const reached = Math.max(...others.map((index) => network().lastSealed(index))) + 2
      await network().untilSealed(reached, ...others)
      await network().kill(VICTIM)
      await network().startAlone(VICTIM)
      const later = Math.max(...others.map((index) => network().lastSealed(index))) + 1
      await network().untilSealed(later, ...EVERYBODY)
      assert(agree(network().watches))
      for (const index of EVERYBODY)
        assert(!(await network().log(index)).includes('a member signed two conflicting messages'))
    })
  })
}
