import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { StartingView } from '../../../src/cli/commands/status.ts'
import { readCharter } from '../../../src/node/home/charter-file.ts'
import { LOAM, lastLine, loam } from '../cli/loam.ts'
import { forgetModel, makeOtherBase } from './other-base.ts'
import { agree, PeerNetwork } from './peer-network.ts'

describe('a peer without the base model', function () {
  this.timeout(240_000)
  let folder: string
  const fetchArgs = (home: string, address: string) =>
    ['base', 'fetch', '--home', home, '--json', '--bootstrap', address] as const
  let network: PeerNetwork

  const fetches = (log: string) => log.split('fetching the base model from members').length - 1

  before(async () => {
    folder = await makeOtherBase()
    // On a busy machine the last peer to start must not be left out of every cut.
    network = await PeerNetwork.prepare(4, { timeouts: { gatherMs: 30_000, graceMs: 15_000 } }, folder)
  })
  after(async () => {
    await network?.end()
    await rm(folder, { recursive: true, force: true })
  })

  it('says why no address serves it, and reports progress, while loam base fetch waits', async () => {
    const { home, peerId } = network.prepared.peers[3]!
    assert.equal(await forgetModel(home), folder)
    const nobody = `/ip4/127.0.0.1/tcp/1/p2p/${network.prepared.peers[0]!.peerId}`
    const child = spawn(process.execPath, [LOAM, ...fetchArgs(home.folder, nobody)])
    const ended = once(child, 'exit')
    const lines = createInterface({ input: child.stderr })
    let said = ''
    lines.on('line', (line) => {
      said += `${line}\n`
    })
    while (!/nothing listens on port 1\n.*what to do/.test(said)) await once(lines, 'line')
    const status = await loam('status', '--home', home.folder, '--json')
    assert.equal(status.code, 1)
    const { charter } = await readCharter(home.charter)
    const total = charter.base.files.reduce((sum, { bytes }) => sum + bytes, 0)
    const { ready, phase, base } = lastLine<StartingView>(status)
    assert.deepEqual({ ready, phase }, { ready: false, phase: 'fetching-base' })
    assert.deepEqual(base, { done: 0, total, connected: 0, providers: 0 })
    const busy = await loam(...fetchArgs(home.folder, nobody))
    assert.match(busy.stderr, /is in use by the daemon with process id/)
    child.kill('SIGINT')
    assert.deepEqual(await ended, [1, null])
    assert.match(said, /error: stopped; what was fetched is kept/)
    assert(!existsSync(home.baseProgress) && !existsSync(home.lock))
    const late = await loam(...fetchArgs(home.folder, nobody), '--minutes', '0.02')
    assert.equal(late.code, 1)
    assert.match(late.stderr, /error: not complete after 0\.02 minute\(s\); what was fetched is kept/)
    assert(said.includes('waiting for a member that has it') && !said.includes(peerId))
  })

  it('fetches it from members with the charter and one address, and is in a cut', async () => {
    const { home, peerId } = network.prepared.peers[3]!
    const checked = await loam('config', 'check', '--home', home.folder, '--json')
    assert.equal(checked.code, 0, checked.stderr)
    assert.match(checked.stderr, /loam peer will fetch it from members/)
    await network.start(0, 1, 2)
    // Half of the weights exist from an aborted call, and a file that does not belong there.
    const args = fetchArgs(home.folder, network.watches[0]!.addresses[0]!)
    await mkdir(home.basePartial, { recursive: true })
    const first = 'model-00001-of-00002.safetensors'
    await copyFile(join(folder, first), join(home.basePartial, `${first}.partial`))
    await writeFile(join(home.basePartial, 'weights.partial'), 'of another version')
    const fetched = lastLine<{ folder: string; fetched: boolean }>(await loam(...args))
    assert.deepEqual([fetched.folder, fetched.fetched], [home.base, true])
    const [, earlier] = /"files":8,"blocks":\d+,"earlierBlocks":(\d+)/.exec(await network.log(3)) ?? []
    assert.equal(Number(earlier), 1)
    await network.start(3)
    await network.until(() =>
      network.watches[0]!.sealed.some(({ cut }) => cut.some((entry) => entry.peerId === peerId))
    )
    assert(agree(network.watches))
    const names = (await readdir(home.base)).sort()
    assert.deepEqual(names, [
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json'
    ])
    for (const name of names)
      assert.deepEqual(await readFile(join(home.base, name)), await readFile(join(folder, name)), name)
    assert(!existsSync(home.basePartial))
  })

  it('keeps it over a restart without fetching it again', async () => {
    const { home } = network.prepared.peers[3]!
    assert.equal(await network.stop(3), 0)
    const again = await loam(...fetchArgs(home.folder, network.watches[0]!.addresses[0]!))
    assert.equal(lastLine<{ fetched: boolean }>(again).fetched, false)
    const last = network.lastSealed(3)
    const fetchesBefore = fetches(await network.log(3))
    await network.startAlone(3)
    await network.untilSealed(last + 1, 3)
    assert.equal(fetches(await network.log(3)), fetchesBefore)
  })
})
