import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../../../src/package-root.ts'

interface Outcome {
  readonly code: unknown
  readonly stdout: string
  readonly stderr: string
}

function runProgram(name: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) =>
    execFile(
      process.execPath,
      [join(packageRoot(), 'dist/lab/prada', name), ...args],
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code, stdout, stderr })
    )
  )
}

function lastJson(stdout: string): unknown {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!)
}

/** The minimum of everything. */
const SMALL = ['--prompts', '2', '--tokens', '10', '--seeds', '1', '--steps-per-round', '1']

describe('npm run prada', function () {
  this.timeout(900_000)
  const folder = mkdtempSync(join(tmpdir(), 'loam-prada-'))
  after(() => rmSync(folder, { recursive: true }))

  it('prints its report: no token differs, and the JSON is complete', async () => {
    const report = join(folder, 'report.md')
    const { code, stdout, stderr } = await runProgram('prada.js', ...SMALL, '--report', report, '--json')
    assert.equal(code, 0, stderr)
    const { exactness, communication, time, quality } = lastJson(stdout) as Record<
      'exactness' | 'communication' | 'time' | 'quality',
      Record<string, number>
    >
    assert.deepEqual([exactness.tokens, exactness.differences], [60, 0])
    const numbers = [
      communication.bytesPerToken,
      communication.tokensPerTrip,
      communication.acceptance,
      time.tokensPerSecond,
      time.naiveTokensPerSecond,
      ...['proxy', 'adapted', 'remote', 'prada', 'central', 'gapClosed'].map((name) => quality[name])
    ]
    assert.ok(numbers.every(Number.isFinite), JSON.stringify(numbers))
    assert.equal(communication.fullRowBytes, 6_144)
    assert.ok(communication.tokensPerTrip! >= 1 && communication.bytesPerToken! < 6_144)
    assert.ok(quality.remote! < quality.proxy!, 'the large model is the better one')
    const written = readFileSync(report, 'utf8')
    assert.match(
      written,
      /\| no token differs from the naive way \| 0 of 60 \(6 texts, \d ways\) \| holds \|/
    )
    assert.match(stderr, /exactness: 6 of 6 texts/)
  })

  it('exits with 2 for invalid flags, and with 1 when a model is missing', async () => {
    assert.equal((await runProgram('prada.js', '--prompts', 'many')).code, 2)
    const { code, stderr } = await runProgram('prada.js', '--remote', join(folder, 'nothing'))
    assert.equal(code, 1)
    assert.match(stderr, /error: --remote .*nothing is not a model folder/)
  })
})

describe('npm run lab -- prada-exactness', function () {
  this.timeout(900_000)
  const folder = mkdtempSync(join(tmpdir(), 'loam-exactness-'))
  after(() => rmSync(folder, { recursive: true }))

  it('compares every token, and resumes after an interruption', async () => {
    const checkpoint = join(folder, 'exactness.jsonl')
    const args = [
      '--tokens',
      '6',
      '--ways',
      '1',
      '--steps-per-round',
      '1',
      '--checkpoint',
      checkpoint,
      '--json'
    ]
    const first = await runProgram('exactness-table.js', '--prompts', '1', ...args)
    assert.equal(first.code, 0, first.stderr)
    assert.deepEqual(lastJson(first.stdout), {
      texts: 3,
      comparisons: 3,
      ways: 3,
      tokens: 18,
      differences: 0
    })
    assert.ok(existsSync(checkpoint))
    const before = readFileSync(checkpoint, 'utf8')
    const second = await runProgram('exactness-table.js', '--prompts', '2', ...args)
    assert.ok(readFileSync(checkpoint, 'utf8').startsWith(before))
    assert.deepEqual(lastJson(second.stdout), {
      texts: 6,
      comparisons: 6,
      ways: 6,
      tokens: 36,
      differences: 0
    })
  })
})
