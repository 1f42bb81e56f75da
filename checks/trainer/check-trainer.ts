import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { packageRoot } from '../../src/package-root.ts'
import { environmentFolder, NoEnvironment, pythonEnvironment } from './python-environment.ts'
import { runProgram } from './run-program.ts'

interface Options {
  readonly python: string
  readonly cachedOnly: boolean
  readonly installSeconds: string
  readonly json: boolean
}

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** Exit code where nothing could be checked. */
const SKIPPED = 3
/** Longest time of one step, milliseconds; the tests are the longest. */
const STEP_MS = 1_800_000

const options = new Command('npm run check -- trainer')
  .description(
    'Installs the Python package of trainers/pytorch from the tree and from its own sdist, and runs ruff, mypy and its tests, in an environment outside the tree ($LOAM_TRAINER_ENV, or ~/.cache/loam/trainer-env).'
  )
  .option('--python <program>', 'Python 3.10 or later to make the environment with', 'python3')
  .option('--cached-only', 'skip if the environment has not been made yet', false)
  .option('--install-seconds <n>', 'time to make the environment, after which it is skipped', '900')
  .option('--json', 'print one JSON object before the last line', false)
  .addHelpText(
    'after',
    `
The last line is "N passed, N failed", with ", N skipped" where some were. Exit
codes: 0 all passed, 1 some failed, 2 wrong flags, ${SKIPPED} nothing was checked, since
the package registry cannot be reached or the environment is not there in time.

Examples:
  $ npm run check -- trainer
  $ npm run check -- trainer --cached-only
  $ LOAM_TRAINER_ENV=/big/env npm run check -- trainer --install-seconds 1800`
  )
  .parse()
  .opts<Options>()
const installSeconds = Number(options.installSeconds)
if (!(installSeconds > 0 && Number.isFinite(installSeconds))) {
  process.stderr.write(`error: --install-seconds ${options.installSeconds} is not a number of seconds\n`)
  process.exit(2)
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
const source = join(packageRoot(), 'trainers', 'pytorch')
const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
const work = await mkdtemp(join(tmpdir(), 'loam-check-trainer-'))
try {
  const python = await pythonEnvironment({
    folder: resolve(environmentFolder()),
    source: await copyOf(source),
    python: options.python,
    mayInstall: !options.cachedOnly,
    installMs: installSeconds * 1_000,
    signal: stopping.signal
  })
  await check(python)
  process.exitCode = counts.failed === 0 ? 0 : 1
} catch (error) {
  if (!(error instanceof NoEnvironment)) throw error
  console.log(`skipped: ${error.message}`)
  counts.skipped++
  process.exitCode = SKIPPED
} finally {
  await rm(work, { recursive: true, force: true })
}
if (options.json) console.log(JSON.stringify(counts))
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`)

/** Builds leave files beside the sources. */
async function copyOf(folder: string): Promise<string> {
  const copy = join(work, 'source')
  await cp(folder, copy, {
    recursive: true,
    filter: (path) => !/(?:\.egg-info|__pycache__|[/\\]build|_cache)$/.test(path)
  })
  return copy
}

async function check(python: string): Promise<void> {
  const copy = join(work, 'source')
  const dist = join(work, 'dist')
  const install = (what: string) =>
    [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      '--no-build-isolation',
      '--force-reinstall',
      what
    ] as const
  const command = ['-m', 'loam_trainer', '--version'] as const
  await step('installs from the tree', python, [install(copy), command])
  await step('builds sdist and wheel', python, [['-m', 'build', '--no-isolation', '--outdir', dist, copy]])
  const sdist = (await readdir(dist).catch(() => [])).find((name) => name.endsWith('.tar.gz'))
  await step('installs from its sdist', python, [install(join(dist, sdist ?? 'absent.tar.gz')), command])
  await step('ruff check', python, [['-m', 'ruff', 'check', '--no-cache', '.']], source)
  await step('ruff format', python, [['-m', 'ruff', 'format', '--no-cache', '--check', '.']], source)
  await step('mypy', python, [['-m', 'mypy', '--cache-dir', join(work, 'mypy')]], source)
  await tests(python)
}

/** One thing that passes or fails: all of its commands. */
async function step(
  what: string,
  python: string,
  commands: readonly (readonly string[])[],
  cwd = work
): Promise<void> {
  for (const args of commands) {
    const { code } = await run(python, args, cwd)
    if (code === 0) continue
    console.log(`failed: ${what}`)
    counts.failed++
    return
  }
  console.log(`passed: ${what}`)
  counts.passed++
}

async function tests(python: string): Promise<void> {
  const { code, output } = await run(python, ['-m', 'pytest', '-p', 'no:cacheprovider'], source)
  const summary = output.trim().split('\n').at(-1) ?? ''
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(summary)?.[1] ?? 0)
  counts.passed += count('passed')
  counts.failed += count('failed') + count('errors?')
  counts.skipped += count('skipped')
  // pytest itself failed, or ran nothing.
  if (code !== 0 && count('failed') + count('errors?') === 0) counts.failed++
  console.log(`pytest: ${summary}`)
}

function run(python: string, args: readonly string[], cwd: string) {
  const env = { LOAM_REPOSITORY: packageRoot(), PYTHONDONTWRITEBYTECODE: '1', OMP_NUM_THREADS: '1' }
  const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(STEP_MS)])
  return runProgram(python, args, { cwd, env, signal })
}
