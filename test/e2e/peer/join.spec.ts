import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { homeAt } from '../../../src/node/home/home.ts'
import { lastLine, loam } from '../cli/loam.ts'
import { forgetModel, makeOtherBase } from './other-base.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const FOUNDERS = [0, 1, 2, 3]
/** Rounds behind at which a member of this consortium takes a checkpoint. */
const RETAIN = 2

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const outcome = await loam(...args, '--json')
  assert.equal(outcome.code, 0, outcome.stderr)
  return lastLine(outcome)
}

describe('a peer that joins a running network by an invite', function () {
  this.timeout(240_000)
  let network: PeerNetwork
  let newcomer: number
  let path: string
  let base: string

  before(async () => {
    base = await makeOtherBase()
    network = await PeerNetwork.prepare(
      4,
      {
        retain: RETAIN,
        // While one of the five is away, each round waits for it this long.
        timeouts: { gatherMs: 3_000, graceMs: 1_000 }
      },
      base
    )
    await network.start(...FOUNDERS)
  })
  after(async () => {
    await network?.end()
    await rm(base, { recursive: true, force: true })
  })

  it('is let in by a quorum, gets the base model, catches up through the seal that it was told, and is in a later cut', async () => {
    const { folder, prepared } = network
    await network.untilSealed(2, 0)
    path = join(folder, 'weather.invite')
    const homeOf = (index: number) => prepared.peers[index]!.home
    const invite = await json('invite', '--home', homeOf(0).folder, '--out', path)
    assert(Number(invite.round) >= 2)
    const home = homeAt(join(folder, 'newcomer'))
    const asked = await json('join', path, '--home', home.folder)
    assert.equal(asked.stage, 'requested')
    assert.equal(asked.quorum, 3)
    const settings = { ...JSON.parse(await readFile(homeOf(1).config, 'utf8')), documents: home.documents }
    await writeFile(home.config, JSON.stringify(settings))
    assert.equal(await forgetModel(home), base)
    await copyFile(homeOf(1).documents, home.documents)
    newcomer = network.add({ ...prepared.peers[1]!, home, peerId: String(asked.peerId) })
    // With the invite's addresses alone; before it is let in nobody speaks to it, so it waits for the base model.
    const started = network.startAlone(newcomer)
    await Promise.all(
      [0, 1, 2].map((index) => json('members', 'admit', home.joinRequest, '--home', homeOf(index).folder))
    )
    await network.until(() =>
      network.watches[0]!.sealed.some(({ cut }) => cut.some(({ peerId }) => peerId === asked.peerId))
    )
    await started
    assert(agree(network.watches))
    assert(existsSync(join(home.base, 'config.json')))
    const log = await network.log(newcomer)
    assert.match(log, /the history holds the seal of the invite/)
    assert.equal((await json('join', path, '--home', home.folder)).stage, 'member')
    const verified = await json('verify', home.folder)
    assert.equal(verified.ok, true)
    assert.equal((verified.members as string[]).length, 5)
  })

  it('is away for longer than shards are kept, and comes back by a checkpoint', async () => {
    const { peerId, home } = network.prepared.peers[newcomer]!
    assert.equal(await network.stop(newcomer), 0)
    const last = network.lastSealed(newcomer)
    await network.untilSealed(last + RETAIN + 2, ...FOUNDERS)
    await network.startAlone(newcomer)
    const back = Math.max(...FOUNDERS.map((index) => network.lastSealed(index)))
    await network.until(() =>
      network.watches[0]!.sealed.some(
        ({ round, cut }) => round > back && cut.some((entry) => entry.peerId === peerId)
      )
    )
    assert.match(await readFile(home.log, 'utf8'), /the checkpoint has the sealed digest/)
    assert(agree(network.watches))
  })

  it('refuses the history where the invite names another seal', async () => {
    const { home } = network.prepared.peers[0]!
    const { code, stdout } = await loam('verify', home.folder, '--trust', `1:${'0'.repeat(64)}`)
    assert.equal(code, 1)
    assert.match(stdout, /not the trusted 0000/)
  })
})
