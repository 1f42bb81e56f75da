import assert from 'node:assert/strict'
import { copyFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileBlocks, readBlockList, sha256Hex } from '../../../src/formats/index.ts'
import { readCharter } from '../../../src/node/home/charter-file.ts'
import { homeAt } from '../../../src/node/home/home.ts'
import type { Charter } from '../../../src/protocol/index.ts'
import { until } from '../../support/until.ts'
import { lastLine, loam } from '../cli/loam.ts'
import { forgetModel, makeOtherBase } from './other-base.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const FOUNDERS = [0, 1, 2, 3]
const MIB = 1024 * 1024
/** Number of rounds behind at which a member of this consortium uses a checkpoint. */
const RETAIN = 2

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const outcome = await loam(...args, '--json')
  assert.equal(outcome.code, 0, outcome.stderr)
  return lastLine(outcome)
}

/** The blocks of a folder's covered files but config.json, which comes before them: lengths by digest. */
async function blocksOf(folder: string, { base }: Charter): Promise<Map<string, number>> {
  const blocks = new Map<string, number>()
  for (const { path } of base.files) {
    if (path === 'config.json') continue
    const { bytes, list } = await readBlockList(join(folder, path))
    for (const block of fileBlocks(bytes, list)) blocks.set(block.digest, block.bytes)
  }
  return blocks
}

/** The blocks among these that the partial files contain. */
async function heldBlocks(
  folder: string,
  { base }: Charter,
  wanted: ReadonlyMap<string, number>
): Promise<Set<string>> {
  const held = new Set<string>()
  for (const { path } of base.files) {
    const bytes = await readFile(join(folder, `${path}.partial`)).catch(() => Buffer.alloc(0))
    for (let begin = 0; begin < bytes.length; begin += MIB) {
      const digest = sha256Hex(bytes.subarray(begin, begin + MIB))
      if (wanted.has(digest)) held.add(digest)
    }
  }
  return held
}

/** Bytes that were written into a folder's files. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  const sizes = names.map(
    async (name) => (await stat(join(folder, name)).catch(() => undefined))?.blocks ?? 0
  )
  return (await Promise.all(sizes)).reduce((sum, blocks) => sum + 512 * blocks, 0)
}

/** What the log reports of a fetch interrupted by a kill: each block once, from three members or more. */
async function assertFetched(
  log: string,
  wanted: ReadonlyMap<string, number>,
  before: ReadonlySet<string>
): Promise<void> {
  const line = log.split('\n').findLast((text) => text.includes('"fetched files are complete"'))!
  const { blocks, earlierBlocks, brought } = JSON.parse(line) as {
    blocks: number
    earlierBlocks: number
    brought: Record<string, number>
  }
  assert.deepEqual([blocks, earlierBlocks], [wanted.size, before.size])
  const came = Object.values(brought)
  assert.equal(
    came.reduce((sum, count) => sum + count, 0),
    wanted.size - before.size
  )
  assert(came.length >= 3, line)
  const [, received] = /"received":(\d+)[^\n]*the base model is complete/.exec(log) ?? []
  const missing = [...wanted].filter(([digest]) => !before.has(digest))
  const bytes = missing.reduce((sum, [, length]) => sum + length, 0)
  assert(Number(received) <= 1.05 * bytes, `${received} bytes came for ${bytes}`)
}

describe('a peer that joins a running network with an invite', function () {
  this.timeout(240_000)
  let network: PeerNetwork
  let newcomer: number
  let path: string
  let base: string

  before(async () => {
    // Some 27 blocks, which take most of a second from four members that each send 8 MiB in one.
    base = await makeOtherBase(24 * MIB)
    network = await PeerNetwork.prepare(
      4,
      {
        retain: RETAIN,
        // While one of the five is away, each round waits for it this long.
        timeouts: { gatherMs: 5_000, graceMs: 1_500 }
      },
      base
    )
    for (const { home } of network.prepared.peers) {
      const settings = JSON.parse(await readFile(home.config, 'utf8')) as object
      await writeFile(home.config, JSON.stringify({ ...settings, blocks: { uploadLimit: '8 MiB' } }))
    }
    await network.start(...FOUNDERS)
  })
  after(async () => {
    await network?.end()
    await rm(base, { recursive: true, force: true })
  })

  it('is admitted by a quorum, gets the base model, catches up through the seal in its invite, and is in a later cut', async () => {
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
    // With only the invite's addresses; nobody talks to it before it is admitted, so it waits for the base model.
    const started = network.startAlone(newcomer)
    await Promise.all(
      [0, 1, 2].map((index) => json('members', 'admit', home.joinRequest, '--home', homeOf(index).folder))
    )
    const { charter } = await readCharter(home.charter)
    const wanted = await blocksOf(base, charter)
    const held = () => heldBlocks(home.basePartial, charter, wanted)
    // Killed in the middle of the base.
    await until(async () => (await bytesIn(home.basePartial)) >= 6 * MIB)
    await network.kill(newcomer)
    const before = await held()
    assert(before.size >= 3 && before.size < wanted.size - 3, `${before.size} of ${wanted.size}`)
    await network.startAlone(newcomer)
    await assertFetched(await network.log(newcomer), wanted, before)
    assert.deepEqual((await readdir(home.base)).sort(), charter.base.files.map(({ path }) => path).sort())
    for (const { path: name } of charter.base.files)
      assert.deepEqual(await readFile(join(home.base, name)), await readFile(join(base, name)), name)
    await network.until(() =>
      network.watches[0]!.sealed.some(({ cut }) => cut.some(({ peerId }) => peerId === asked.peerId))
    )
    await started
    assert(agree(network.watches))
    const log = await network.log(newcomer)
    assert.match(log, /the history contains the seal of the invite/)
    assert.equal((await json('join', path, '--home', home.folder)).stage, 'member')
    const verified = await json('verify', home.folder)
    assert.equal(verified.ok, true)
    assert.equal((verified.members as string[]).length, 5)
  })

  it('is offline for longer than shards are retained, and returns via a checkpoint', async () => {
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

  it('refuses the history when the invite names another seal', async () => {
    const { home } = network.prepared.peers[0]!
    const { code, stdout } = await loam('verify', home.folder, '--trust', `1:${'0'.repeat(64)}`)
    assert.equal(code, 1)
    assert.match(stdout, /not the trusted 0000/)
  })
})
