import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type { PackageReport } from '../../../checks/package/check-package.ts'
import { packageRoot } from '../../../src/package-root.ts'

const CHECK = join(packageRoot(), 'dist', 'checks', 'package', 'check-package.js')

describe('npm run check -- package', () => {
  it('installs the packed package with default settings, and runs a testnet with it', async function () {
    this.timeout(1_500_000)
    const { code, stdout, stderr } = await new Promise<{ code: unknown; stdout: string; stderr: string }>(
      (resolve) =>
        execFile(process.execPath, [CHECK, '--json'], (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : error.code, stdout, stderr })
        )
    )
    assert.equal(code, 0, stderr)
    const { installed, tarballBytes } = JSON.parse(stdout.trim().split('\n').at(-1)!) as PackageReport
    assert.ok(tarballBytes > 5e6 && tarballBytes < 10e6)
    assert.ok(installed.withoutEngines.bytes < 100e6 && installed.default.bytes < 450e6)
    assert.ok(installed.withNative.bytes > installed.default.bytes)
  })
})
