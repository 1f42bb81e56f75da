/**
 * Runs the spec files below some folders of `test` in several mocha processes at once, and sums what they count. Tests
 * with networks mostly wait, the others compute: on two cores they fit beside each other.
 *
 * Usage: node dist/test/support/run-tests.js FOLDER...
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { packageRoot } from '../../src/package-root.ts'
import { Relay } from './output-relay.ts'
import { type Counts, renderSummary, sumCounts } from './test-counts.ts'

/** A process each: a spec file is in the first lane that has a folder for it, the last one has the rest. */
const LANES: readonly (readonly string[])[] = [['e2e/peer/'], ['e2e/', 'integration/'], ['']]

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')
const TESTS = join(packageRoot(), 'dist', 'test')

/** How long a process may take to end once its tests have, milliseconds: then it is ended, and the output says so. */
const EXIT_MS = 15_000

/** Spec files of each lane that has some. */
function lanesOf(folders: readonly string[]): string[][] {
  const lanes: string[][] = LANES.map(() => [])
  for (const folder of folders)
    for (const entry of readdirSync(join(TESTS, folder), { withFileTypes: true, recursive: true })) {
      if (!entry.name.endsWith('.spec.js')) continue
      const file = join(entry.parentPath, entry.name)
      const path = relative(TESTS, file).replaceAll('\\', '/')
      lanes[LANES.findIndex((prefixes) => prefixes.some((prefix) => path.startsWith(prefix)))]!.push(file)
    }
  return lanes.filter((files) => files.length > 0).map((files) => files.toSorted())
}

/** Runs one lane. @returns what it counted; an end of the process that no test accounts for is one failure */
async function runLane(files: readonly string[], relay: Relay): Promise<Counts> {
  const child = fork(MOCHA, [...files], { cwd: packageRoot(), stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  let counts: Counts = { passed: 0, failed: 0, skipped: 0, milliseconds: {} }
  let deadline: NodeJS.Timeout | undefined
  let isLate = false
  child.on('message', (message) => {
    counts = message as Counts
    deadline = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, EXIT_MS)
  })
  const output = relay.open()
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (bytes: Buffer) => output.write(bytes))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(deadline)
  if (isLate)
    output.write(Buffer.from('\nwarning: a test left a timer or a handle open: its process was ended\n'))
  else if (code !== 0 && counts.failed === 0) {
    output.write(Buffer.from(`\nerror: mocha ended with ${signal ?? `exit code ${code}`}\n`))
    counts = { ...counts, failed: 1 }
  }
  output.end()
  return counts
}

const lanes = lanesOf(process.argv.slice(2))
if (lanes.length === 0) {
  process.stderr.write('error: name folders of test that hold spec files\n')
  process.exit(2)
}
const relay = new Relay(process.stdout)
const counts = sumCounts(await Promise.all(lanes.map((files) => runLane(files, relay))))
process.stdout.write(renderSummary(counts, packageRoot()))
process.exitCode = counts.failed === 0 ? 0 : 1
