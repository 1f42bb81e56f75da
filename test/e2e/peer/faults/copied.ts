import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startPeerProcess } from '../../../../scripts/testnet/peer-process.ts'
import { homeAt } from '../../../../src/node/home/home.ts'
import { lastLine, loam } from '../../cli/loam.ts'
import { agree, type PeerNetwork } from '../peer-network.ts'

const EVERYBODY = [0, 1, 2, 3]
/** Whose home is copied. */
const ORIGINAL = 2
const OTHERS = [0, 1, 3]

const OTHERS_SAY = 'two copies of a member are running'
const ORIGINAL_SAYS = 'another copy of this peer is running'

/** Runs one identity twice. */
export function copiedHome(network: () => PeerNetwork): void {
  describe('a peer whose home was copied', () => {
    const says = async (index: number, text: string) => (await network().log(index)).includes(text)

    it('is not mistaken for a copy when it is killed and restarted at once', async () => {
      await network().kill(ORIGINAL)
      await network().startAlone(ORIGINAL)
      const round = Math.max(...EVERYBODY.map((index) => network().lastSealed(index))) + 1
      await network().untilSealed(round, ...EVERYBODY)
      for (const index of EVERYBODY) {
        assert(!(await says(index, OTHERS_SAY)), `peer ${index}`)
        assert(!(await says(index, ORIGINAL_SAYS)), `peer ${index}`)
      }
    })

    it('is reported by all four; the copy stops before it signs, and the original continues', async () => {
      const { peers } = network().prepared
      const { home, peerId } = peers[ORIGINAL]!
      const copy = homeAt(join(network().folder, 'copy'))
      await cp(home.folder, copy.folder, { recursive: true, filter: (path) => path !== home.lock })
      const bootstrap = OTHERS.flatMap((index) => network().watches[index]!.addresses)
      const started = startPeerProcess({ ...peers[ORIGINAL]!, home: copy }, bootstrap, () => {})
      assert.equal(await started.exited, 1)
      const errors = started
        .standardError()
        .split('\n')
        .filter((line) => line.startsWith('error: '))
      assert.equal(errors.length, 1, started.standardError())
      assert.match(
        errors[0]!,
        /another copy of this peer .* for longer: this one stops.* stop the other for good/
      )
      for (const index of OTHERS) assert(await says(index, OTHERS_SAY), `peer ${index}`)
      assert(await says(ORIGINAL, ORIGINAL_SAYS))

      const reached = Math.max(...EVERYBODY.map((index) => network().lastSealed(index))) + 2
      await network().untilSealed(reached, ...EVERYBODY)
      await network().until(() =>
        network().watches[0]!.sealed.some(
          ({ round, cut }) => round >= reached && cut.some((entry) => entry.peerId === peerId)
        )
      )
      assert(agree(network().watches))
      for (const index of EVERYBODY)
        assert(!(await says(index, 'a member signed two conflicting messages')), `peer ${index}`)
      await rm(copy.folder, { recursive: true })
    })

    it('shows up in status, and gets advice from doctor', async () => {
      const { home, peerId } = network().prepared.peers[ORIGINAL]!
      for (const folder of [home.folder, network().prepared.peers[0]!.home.folder]) {
        const status = lastLine<{ copies: { peerId: string }[] }>(
          await loam('status', '--home', folder, '--json')
        )
        assert.deepEqual(
          status.copies.map((copy) => copy.peerId),
          [peerId]
        )
      }
      const doctor = await loam('doctor', '--home', home.folder, '--only', 'network', '--json')
      assert.equal(doctor.code, 1)
      const { actions } = lastLine<{ actions: string[] }>(doctor)
      assert.match(actions[0]!, /^Another copy of this peer was running .* stop one of the two/)
    })
  })
}
