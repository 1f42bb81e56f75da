/**
 * Installs the packed package as a new user would, in empty folders with npm's default settings, and uses it. Fetches
 * about 60 MB from the registry and takes several minutes.
 *
 * Usage: node dist/checks/package/check-package.js [--json]
 *   --json  prints one JSON object as the last line
 */
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FolderSize } from './folder-size.ts'
import { checkDefault, checkNativeAdded, checkWithoutEngines } from './installations.ts'
import { commandRunner } from './run-command.ts'
import { strangersEnvironment } from './strangers-environment.ts'
import { packTarball } from './tarball.ts'

/** What `--json` prints. */
export interface PackageReport {
  readonly tarballBytes: number
  readonly unpackedBytes: number
  readonly installed: Readonly<Record<'default' | 'withNative' | 'withoutEngines', FolderSize>>
  readonly seconds: number
}

const started = Date.now()
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
const folder = await realpath(await mkdtemp(join(tmpdir(), 'loam-package-')))
try {
  const report = await check()
  if (process.argv.includes('--json')) console.log(JSON.stringify(report))
  else console.log(text(report))
} finally {
  await rm(folder, { recursive: true, force: true })
}

async function check(): Promise<PackageReport> {
  const environment = await strangersEnvironment(folder)
  const { run, tryToRun } = commandRunner(environment, stopping.signal, (command) => {
    console.error(`${String(Math.round((Date.now() - started) / 1000)).padStart(4)} s  ${command}`)
  })
  const { path: tarball, bytes: tarballBytes, unpackedBytes } = await packTarball(folder, run)
  const withEngine = { folder: join(folder, 'default'), tarball, run, tryToRun }
  const bare = { ...withEngine, folder: join(folder, 'without-engines') }
  const installed = {
    default: await checkDefault(withEngine),
    withoutEngines: await checkWithoutEngines(bare, join(withEngine.folder, 'network')),
    withNative: await checkNativeAdded(withEngine)
  }
  return { tarballBytes, unpackedBytes, installed, seconds: Math.round((Date.now() - started) / 1000) }
}

function text({ tarballBytes, unpackedBytes, installed, seconds }: PackageReport): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
  const line = (name: string, { bytes, diskBytes, files }: FolderSize) =>
    `${name.padEnd(28)}${megabytes(bytes).padStart(9)} in ${files} files, ${megabytes(diskBytes)} on disk`
  return [
    `tarball                     ${megabytes(tarballBytes).padStart(9)}, ${megabytes(unpackedBytes)} unpacked`,
    line('installed', installed.default),
    line('installed, --omit=optional', installed.withoutEngines),
    line('installed, native engine too', installed.withNative),
    `the installed package works; ${seconds} s`
  ].join('\n')
}
