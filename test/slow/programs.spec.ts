import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { packageRoot } from '../../src/package-root.ts'

interface Outcome {
  readonly code: unknown
  readonly stdout: string
  readonly stderr: string
}

function run(room: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) =>
    execFile(
      process.execPath,
      [join(packageRoot(), 'dist', room, 'main.js'), ...args],
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code, stdout, stderr })
    )
  )
}

/** Programs without options that do their work at once. */
const WITHOUT_OPTIONS = new Set(
  ['arm64', 'documents', 'merge', 'package', 'settings'].map((name) => `checks ${name}`)
)

for (const room of ['bench', 'lab', 'checks', 'pretrain'])
  describe(`the programs of ${room}`, function () {
    this.timeout(240_000)

    it('print help under the name that starts them', async () => {
      const { stdout } = await run(room, '--help')
      const names = [...stdout.matchAll(/^ {2}(\S+) {2}/gm)].map(([, name]) => name!)
      assert(names.length > 0)
      for (const name of names) {
        if (WITHOUT_OPTIONS.has(`${room} ${name}`)) continue
        const help = await run(room, name, '--help')
        assert.equal(help.code, 0, `${name}: ${help.stderr}`)
        assert.match(help.stdout, /^Usage: npm run \w+ -- /, name)
      }
    })
  })

describe('npm run check -- merge', () => {
  it('computes the committed digests on this machine', async () => {
    const { code, stdout } = await run('checks', 'merge')
    assert.equal(code, 0, stdout)
    assert.match(stdout, /^(\d+) of \1 merges have the committed digests/m)
  })
})
