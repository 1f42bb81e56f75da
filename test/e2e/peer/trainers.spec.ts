import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { addSettings } from '../../../scripts/testnet/prepare-homes.ts'
import { commandFile } from '../../../src/package-root.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const EVERYBODY = [0, 1, 2]
const [STARTED, ATTACHED] = [1, 2]

/** Processes whose command line contains a text. */
function processesWith(text: string): number[] {
  const commandLine = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    } catch {
      return ''
    }
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.filter((pid) => commandLine(pid).includes(text)).map(Number)
}

describe('three members with three trainers', function () {
  this.timeout(180_000)
  let network: PeerNetwork
  let attached: ChildProcess

  before(async function () {
    if (process.platform !== 'linux') this.skip()
    network = await PeerNetwork.prepare(3, { timeouts: { gatherMs: 20_000 } })
    const { peers } = network.prepared
    const command = `exec ${process.execPath} ${commandFile()} trainer --threads 1`
    await addSettings([peers[STARTED]!], { trainer: command })
    await addSettings([peers[ATTACHED]!], { trainer: 'attach' })
    const { folder } = peers[ATTACHED]!.home
    attached = spawn(process.execPath, [commandFile(), 'trainer', '--attach', folder, '--threads', '1'], {
      stdio: 'ignore'
    })
    await network.start(...EVERYBODY)
  })
  after(async () => {
    attached?.kill()
    await network?.end()
  })

  it('stack the adapters of the built-in trainer, of a started one and of an attached one', async () => {
    // On a busy machine a trainer may be late for the first rounds.
    await network.until(() => network.watches[0]!.sealed.filter(({ cut }) => cut.length === 3).length >= 3)
    await network.untilSealed(network.lastSealed(0), ...EVERYBODY)
    assert(agree(network.watches))
    assert(/"name":"loam".*trained by an external trainer/.test(await network.log(STARTED!)))
  })

  it('continue when a trainer is killed, and stack its adapter again later', async () => {
    // The shell has been replaced by the trainer, with the command line of Node.js.
    const trainers = processesWith(`${commandFile()} trainer --threads 1`).filter((pid) =>
      isChildOf(pid, network.pid(STARTED!))
    )
    assert.equal(trainers.length, 1)
    const { round } = network.watches[0]!.sealed.at(-1)!
    process.kill(trainers[0]!, 'SIGKILL')
    await network.until(() =>
      network.watches[0]!.sealed.some((sealed) => sealed.round > round + 1 && sealed.cut.length === 3)
    )
    await network.untilSealed(round + 2, ...EVERYBODY)
    assert(agree(network.watches))
  })
})

/** Whether a process was started by another, or by one that was. */
function isChildOf(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1; ) {
    const parent = Number(readFileSync(`/proc/${at}/stat`, 'utf8').split(') ')[1]!.split(' ')[1])
    if (parent === ancestor) return true
    at = parent
  }
  return false
}
