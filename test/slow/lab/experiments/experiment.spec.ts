import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AGGREGATION_RULES } from '../../../../lab/aggregation/index.ts'
import type { SummaryRow } from '../../../../lab/experiments/summary.ts'
import { packageRoot } from '../../../../src/package-root.ts'

const script = (name: string, ...args: string[]) =>
  promisify(execFile)(
    process.execPath,
    [join(packageRoot(), 'dist/lab/experiments', `${name}.js`), ...args],
    { maxBuffer: 64 * 1024 * 1024 }
  )

describe('npm run lab -- experiment and npm run lab -- scale', function () {
  this.timeout(300_000)
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-experiment-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('compare every rule, tell exact ones from others, and repeat no run', async () => {
    const args = ['--quick', '--rounds', '1', '--only', 'rules', '--out', folder, '--json']
    const { stdout } = await script('experiment', ...args)
    const { rows, files } = JSON.parse(stdout) as { rows: SummaryRow[]; files: string[] }
    assert.deepEqual(
      [...new Set(rows.map(({ method }) => method))].sort(),
      [...AGGREGATION_RULES.keys()].sort()
    )
    for (const { method, aggregation, loss } of rows) {
      assert.ok(loss.mean > 1 && loss.mean < 10)
      const exact = ['flora', 'ffa', 'fedex'].includes(method)
      assert.equal(aggregation!.error < 1e-5, exact, `${method} has error ${aggregation!.error}`)
    }
    const results = await readFile(join(folder, 'experiment.jsonl'), 'utf8')
    assert.ok((await readFile(files[0]!, 'utf8')).includes('## Split dirichlet, ranks homogeneous, 1 rounds'))
    assert.ok((await readFile(files[1]!, 'utf8')).startsWith('<svg'))
    const again = await script('experiment', ...args)
    assert.deepEqual(JSON.parse(again.stdout).rows, rows)
    assert.equal(await readFile(join(folder, 'experiment.jsonl'), 'utf8'), results)
  })

  it('report the number of members at which a stack outgrows the modules', async () => {
    const { stdout } = await script('scale', '--quick', '--members', '3,30', '--out', folder, '--json')
    const { rows, full, crossings } = JSON.parse(stdout) as {
      rows: { rule: string; trainers: number; bytesShards: number }[]
      full: { modules: number }
      crossings: { modules: number }
    }
    for (const { trainers, bytesShards } of rows)
      assert.equal(bytesShards > full.modules, trainers >= crossings.modules)
  })
})
