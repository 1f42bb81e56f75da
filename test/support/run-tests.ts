/**
 * Runs the spec files below some folders of `test` in several mocha processes, some at once, and sums what they count.
 *
 * Usage: node dist/test/support/run-tests.js [--lanes N] FOLDER...
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../../src/package-root.ts'
import { Relay } from './output-relay.ts'
import { type Counts, type ProcessTime, renderProcesses, renderSummary, sumCounts } from './test-counts.ts'

/**
 * What shares a process: a spec file is in the first group that has a prefix of its path, the last one has the rest. They
 * begin in this order, the long ones first, so that no lane is left alone with one at the end.
 */
const GROUPS: readonly (readonly string[])[] = [
  ['e2e/peer/faults'],
  ['unit/node/', 'unit/model/', 'unit/prada/'],
  ['e2e/testnet/'],
  ['e2e/cli/commands'],
  ['sim/'],
  ['e2e/peer/join'],
  ['e2e/peer/fetch-base', 'e2e/peer/trainers'],
  ['integration/'],
  ['e2e/cli/'],
  ['e2e/peer/control', 'e2e/peer/held-out-veto'],
  ['e2e/'],
  ['']
]

/** Processes at once where no other number is given: with more, networks that run rounds beside a test take each other's time. */
const LANES = '3'

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')
const TESTS = join(packageRoot(), 'dist', 'test')

/** How long a process may take to say what keeps it from ending, milliseconds, after its tests: then it is ended. */
const LATE_MS = 30_000

/** Spec files that share a process. */
interface Group {
  readonly name: string
  readonly files: string[]
}

/** The groups that have spec files below the folders. */
function groupsOf(folders: readonly string[]): Group[] {
  const groups: Group[] = GROUPS.map((prefixes) => ({ name: prefixes.join(' ') || 'all others', files: [] }))
  for (const folder of folders)
    for (const entry of readdirSync(join(TESTS, folder), { withFileTypes: true, recursive: true })) {
      if (!entry.name.endsWith('.spec.js')) continue
      const file = join(entry.parentPath, entry.name)
      const path = relative(TESTS, file).replaceAll('\\', '/')
      groups[GROUPS.findIndex((prefixes) => prefixes.some((prefix) => path.startsWith(prefix)))]!.files.push(
        file
      )
    }
  return groups
    .filter(({ files }) => files.length > 0)
    .map(({ name, files }) => ({ name, files: files.toSorted() }))
}

/**
 * Runs one group in a process of its own.
 *
 * @returns what it counted; a process that does not end by itself, or with a code that no test accounts for, is one
 *   failure more
 */
async function runGroup(files: readonly string[], relay: Relay): Promise<Counts> {
  const child = fork(MOCHA, [...files], { cwd: packageRoot(), stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  let counts: Counts = { passed: 0, failed: 0, skipped: 0, milliseconds: {} }
  let deadline: NodeJS.Timeout | undefined
  let leftOpen: readonly string[] | undefined
  const endLate = (what: readonly string[]) => {
    leftOpen = what
    child.kill('SIGKILL')
  }
  child.on('message', (message: Counts | { readonly leftOpen: readonly string[] }) => {
    if ('leftOpen' in message) return endLate(message.leftOpen)
    counts = message
    deadline = setTimeout(endLate, LATE_MS, ['its thread is busy, and does not say with what'])
  })
  const output = relay.open()
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (bytes: Buffer) => output.write(bytes))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(deadline)
  const fault =
    leftOpen !== undefined
      ? `a test left something open, and its process did not end:\n  ${leftOpen.join('\n  ')}`
      : code !== 0 && counts.failed === 0
        ? `mocha ended with ${signal ?? `exit code ${code}`}`
        : undefined
  if (fault !== undefined) output.write(Buffer.from(`\nerror: ${fault}\n`))
  output.end()
  return fault === undefined ? counts : { ...counts, failed: counts.failed + 1 }
}

const { positionals: folders, values } = parseArgs({
  allowPositionals: true,
  options: { lanes: { type: 'string', default: LANES } }
})
const lanes = Number(values.lanes)
const groups = groupsOf(folders)
if (groups.length === 0 || !(Number.isSafeInteger(lanes) && lanes >= 1)) {
  process.stderr.write('error: name folders of test that hold spec files, and a number of lanes from 1 on\n')
  process.exit(2)
}
const relay = new Relay(process.stdout)
const waiting = groups.values()
const all: Counts[] = []
const times: ProcessTime[] = []
const runLane = async () => {
  for (const { name, files } of waiting) {
    const begun = performance.now()
    const counts = await runGroup(files, relay)
    all.push(counts)
    times.push({ name, milliseconds: performance.now() - begun, processorMs: counts.processorMs })
  }
}
await Promise.all(Array.from({ length: lanes }, runLane))
const counts = sumCounts(all)
process.stdout.write(renderProcesses(times))
process.stdout.write(renderSummary(counts, packageRoot()))
process.exitCode = counts.failed === 0 ? 0 : 1
