import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, cpSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Phase } from '../../../src/protocol/index.ts'
import { lastLine, loam } from '../cli/loam.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const OTHERS = [0, 1, 2]
const VICTIM = 3
/** Room for a home, its rounds and some more. */
const DISK_MIB = 96

/** Writes a file until the disk takes no byte more. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (let bytes = 1024 * 1024; bytes >= 1; ) {
      try {
        writeSync(file, new Uint8Array(bytes))
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
        bytes = Math.floor(bytes / 2)
      }
    }
  } finally {
    closeSync(file)
  }
}

describe('a member whose disk is full', function () {
  this.timeout(240_000)
  let network: PeerNetwork
  let folder: string
  let isMounted = false

  before(async function () {
    network = await PeerNetwork.prepare(4)
    folder = network.prepared.peers[VICTIM]!.home.folder
    renameSync(folder, `${folder}.prepared`)
    await mkdir(folder)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder], { stdio: 'pipe' })
      isMounted = true
    } catch {
      console.error('      skipped: a small disk for the test cannot be mounted here (needs Linux and root)')
      this.skip()
    }
    cpSync(`${folder}.prepared`, folder, { recursive: true })
    await network.start(...OTHERS, VICTIM)
    await network.untilSealed(1, ...OTHERS, VICTIM)
  })
  after(async () => {
    await network?.stopAll()
    if (isMounted) execFileSync('umount', [folder])
    if (network !== undefined) await rm(network.folder, { recursive: true, force: true })
  })

  for (const phase of ['training', 'stacking'] satisfies Phase[]) {
    it(`in ${phase} keeps nobody waiting, and goes on when there is room`, async () => {
      const ballast = join(folder, 'ballast')
      const victim = network.watches[VICTIM]!
      await network.until(() => victim.progress?.phase === phase)
      fill(ballast)
      const { round } = victim.progress!
      await network.untilSealed(round + 1, ...OTHERS)
      assert(network.lastSealed(VICTIM) <= round, 'it had no room for a sealed round')
      rmSync(ballast)
      const reached = Math.max(...OTHERS.map((index) => network.lastSealed(index))) + 1
      await network.untilSealed(reached, ...OTHERS, VICTIM)
      assert(agree(network.watches))
    })
  }

  it('was told of it in its log, and is ready again', async () => {
    assert.match(await network.log(VICTIM), /free some space/)
    const status = await loam('status', '--home', folder, '--json')
    assert.equal(lastLine<{ ready: boolean }>(status).ready, true)
  })
})
