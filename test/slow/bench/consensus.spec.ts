import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CostRow, ProcessRow } from '../../../bench/consensus/cost-row.ts'
import { packageRoot } from '../../../src/package-root.ts'

const BENCH = join(packageRoot(), 'dist', 'bench', 'consensus', 'consensus.js')

function bench(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, [BENCH, ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr })
    )
  )
}

describe('npm run bench -- consensus', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-cost-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('measures simulated members and real daemons, and writes its results', async function () {
    this.timeout(240_000)
    const { code, stdout, stderr } = await bench(
      ...['--members', '4,21,24', '--rounds', '1', '--json', '--report', folder]
    )
    assert.equal(code, 0, stderr)
    const { rows, flat, faults } = JSON.parse(stdout) as {
      rows: CostRow[]
      flat: { messages: number }
      faults: string[]
    }
    const names = rows.map(({ mode, members }) => `${mode} ${members}`)
    assert.deepEqual(names, [
      ...['simulated 4', 'vote-path 4', 'simulated 21', 'vote-path 21', 'simulated 24', 'vote-path 24'],
      ...['committee 21', 'committee 24', 'processes 4']
    ])
    assert.deepEqual(faults, [])
    assert(flat.messages < 1.05)
    const daemons = rows.at(-1) as ProcessRow
    const simulated = rows[0]!
    // The four daemons are neighbours: each message arrives once, and again from the others.
    assert(daemons.distinct > simulated.messages / 2 && daemons.distinct < 2 * simulated.messages)
    assert(daemons.messages > daemons.distinct && daemons.bytes > daemons.distinctBytes)
    assert(daemons.sealMs > daemons.stackMs && daemons.stackMs > 0)
    const report = await readFile(join(folder, 'consensus.md'), 'utf8')
    assert(report.includes(`| ${daemons.messages} |`) && report.includes('consensus.svg'))
    assert.match(await readFile(join(folder, 'consensus.svg'), 'utf8'), /^<svg.*20 train, 20 vote/s)
  })

  it('exits with 2 on invalid arguments', async () => {
    const wrong = [
      ['--mode', 'nonsense'],
      ['--members', '0'],
      ['--mode', 'processes', '--members', '17'],
      ['--mode', 'committee', '--members', '20']
    ]
    for (const { code, stderr } of await Promise.all(wrong.map((args) => bench(...args)))) {
      assert.equal(code, 2)
      assert.match(stderr, /^error: /)
    }
  })
})
