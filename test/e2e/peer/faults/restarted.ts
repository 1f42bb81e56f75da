import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import type { SealedReport } from '../../../../src/node/home/peer-report.ts'
import type { Phase } from '../../../../src/protocol/index.ts'
import { agree, type PeerNetwork } from '../peer-network.ts'

const EVERYBODY = [0, 1, 2, 3]

/** Process ids of a process's children, if the system provides them. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}

/** Stops members, their trainers and all of them at once, and starts them again. */
export function restartedPeers(network: () => PeerNetwork): void {
  describe('peers that are stopped and restarted', () => {
    it('continue without the adapter of a killed trainer, and include it in a later round', async function () {
      const victim = network().watches[0]!
      if (!existsSync(`/proc/${process.pid}/task/${process.pid}/children`)) this.skip()
      const { peerId } = network().prepared.peers[0]!
      const isIn = ({ cut }: SealedReport) => cut.some((entry) => entry.peerId === peerId)
      let lost: number | undefined
      // A few steps take only a moment: the kill may come after the last one, and is then retried in the next round.
      for (let last = 0; lost === undefined; ) {
        await network().until(
          () =>
            victim.progress?.phase === 'training' && victim.progress.step > 0 && victim.progress.round > last
        )
        last = victim.progress!.round
        for (const pid of childrenOf(network().pid(0))) process.kill(pid, 'SIGKILL')
        await network().untilSealed(last, ...EVERYBODY)
        const failure = /"round":(\d+),"error":"the trainer process ended \(SIGKILL\)"/.exec(
          await network().log(0)
        )
        if (failure !== null) lost = Number(failure[1])
      }
      const { sealed } = network().watches[1]!
      assert(!isIn(sealed.find(({ round }) => round === lost)!))
      await network().until(() => sealed.some((report) => report.round > lost && isIn(report)))
    })

    for (const phase of ['training', 'gathering', 'deciding', 'sealing'] satisfies Phase[]) {
      it(`shut down at once during ${phase}, and resume after a restart`, async () => {
        const victim = network().watches[3]!
        await network().until(() => victim.progress?.phase === phase)
        const { round } = victim.progress!
        assert.equal(await network().stop(3), 0)
        await network().start(3)
        await network().untilSealed(round, ...EVERYBODY)
        if (phase === 'gathering') assert(!victim.trained.has(round), 'it had signed its manifest')
        assert(agree(network().watches))
      })
    }

    it('find each other by the addresses stored at home, after a crash during stacking too', async () => {
      const victim = network().watches[2]!
      await network().until(() => victim.progress?.phase === 'stacking')
      const { round } = victim.progress!
      await network().kill(2)
      await network().startAlone(2)
      await network().untilSealed(round, ...EVERYBODY)
      assert(agree(network().watches))
    })

    it('resume from their logs on their old ports after all of them are killed at once', async () => {
      const round = Math.max(...EVERYBODY.map((index) => network().lastSealed(index))) + 1
      await network().until(() => network().watches[1]!.progress?.round === round)
      await network().until(() => network().watches[1]!.progress?.phase !== 'training')
      await network().kill(...EVERYBODY)
      // They listen on port 0, without mDNS and with no address to start from.
      await Promise.all(EVERYBODY.map((index) => network().startAlone(index)))
      await network().untilSealed(round, ...EVERYBODY)
      assert(agree(network().watches))
    })
  })
}
