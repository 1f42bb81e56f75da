import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const CHECK = fileURLToPath(new URL('../../../../checks/kernel/check-merge.js', import.meta.url))

describe('the committed merge digests', () => {
  for (const [name, flags] of Object.entries({
    'as Node comes': [],
    'by the baseline compiler alone': ['--liftoff-only'],
    'by the optimising compiler alone': ['--no-liftoff'],
    'without AVX': ['--no-enable-avx']
  })) {
    it(`are reproduced ${name}`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, CHECK], { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
      const [, right, all] = /^(\d+) of (\d+) merges/.exec(stdout)!
      assert(Number(all) >= 50 && right === all, stdout)
    })
  }
})
