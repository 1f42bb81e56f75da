import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { roundFiles } from '../../../../src/node/home/home.ts'
import { agree, type PeerNetwork } from '../peer-network.ts'

const OTHERS = [0, 1, 2]
const LATE = 3
const PHASES = ['training', 'gathering', 'deciding', 'stacking', 'sealing']

/** Stops, slows and kills one member. */
export function stoppedPeer(network: () => PeerNetwork): void {
  describe('a peer that is paused, slow or killed', () => {
    const lastOfOthers = () => Math.max(...OTHERS.map((index) => network().lastSealed(index)))
    const isIn = (round: number) => {
      const { peerId } = network().prepared.peers[LATE]!
      const { cut } = network().watches[0]!.sealed.find((sealed) => sealed.round === round)!
      return cut.some((entry) => entry.peerId === peerId)
    }
    /** The late member is in a cut again: it has caught up, trained and been heard in time. */
    const untilStacked = (after: number) =>
      network().until(() => network().watches[0]!.sealed.some(({ round }) => round > after && isIn(round)))

    it('is not waited for while paused (SIGSTOP), and takes part again as soon as it resumes', async () => {
      const pid = network().pid(LATE)
      process.kill(pid, 'SIGSTOP')
      let stopped: number
      try {
        stopped = lastOfOthers()
        await network().untilSealed(stopped + 2, ...OTHERS)
      } finally {
        process.kill(pid, 'SIGCONT')
      }
      await untilStacked(stopped + 2)
      assert(agree(network().watches))
    })

    for (const phase of PHASES)
      it(`delays nobody when paused during ${phase}, and recovers`, async () => {
        const before = lastOfOthers()
        await network().until(() => {
          const { progress } = network().watches[LATE]!
          return progress?.phase === phase && progress.round > before
        })
        const pid = network().pid(LATE)
        process.kill(pid, 'SIGSTOP')
        try {
          await network().untilSealed(lastOfOthers() + 2, ...OTHERS)
        } finally {
          process.kill(pid, 'SIGCONT')
        }
        await network().untilSealed(lastOfOthers(), LATE)
        assert(agree(network().watches))
        for (const index of [...OTHERS, LATE])
          assert(!(await network().log(index)).includes('a member signed two conflicting messages'))
      })

    it('is not waited for while it gets a tenth of the CPU time', async () => {
      const pid = network().pid(LATE)
      let turn = 0
      const throttle = setInterval(() => process.kill(pid, turn++ % 10 === 0 ? 'SIGCONT' : 'SIGSTOP'), 50)
      const slow = lastOfOthers()
      try {
        await network().untilSealed(slow + 2, ...OTHERS)
      } finally {
        clearInterval(throttle)
        process.kill(pid, 'SIGCONT')
      }
      await untilStacked(slow)
      assert(agree(network().watches))
    })

    it('is not waited for when killed mid-round; after a restart it catches up and takes part', async () => {
      const victim = network().watches[LATE]!
      let killed: number
      // Training takes only a moment: if its shard was published already, repeat.
      for (;;) {
        const last = lastOfOthers()
        await network().until(() => (victim.progress?.step ?? 0) >= 1 && victim.progress!.round > last)
        killed = victim.progress!.round
        await network().kill(LATE)
        await network().untilSealed(killed, ...OTHERS)
        if (!isIn(killed)) break
        await network().startAlone(LATE)
      }
      assert(network().lastSealed(LATE) < killed)
      await network().untilSealed(killed + 2, ...OTHERS)
      const gone = lastOfOthers()
      // On a busy machine they could seal so many rounds while it starts that it takes a checkpoint and stacks none.
      const pids = OTHERS.map((index) => network().pid(index))
      for (const pid of pids) process.kill(pid, 'SIGSTOP')
      try {
        await network().startAlone(LATE)
      } finally {
        for (const pid of pids) process.kill(pid, 'SIGCONT')
      }
      await untilStacked(gone)
      await network().untilSealed(gone + 1, ...OTHERS, LATE)
      assert(agree(network().watches))
      const stacked = network().watches[0]!.sealed.filter(
        ({ round, cut }) => round >= killed && round <= gone && cut.length > 0
      )
      assert(stacked.length > 0)
      for (const { round } of stacked) {
        const [own, ...others] = await Promise.all(
          [LATE, ...OTHERS].map((index) =>
            readFile(roundFiles(network().prepared.peers[index]!.home, round).stack)
          )
        )
        for (const other of others) assert.deepEqual(own, other, `the stack of round ${round}`)
      }
    })
  })
}
