import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { positiveIntegers } from '../support/options.ts'
import type { CostRow } from './cost-row.ts'
import { measureProcesses } from './processes.ts'
import { costReport, costTable } from './report.ts'
import { measureSimulated } from './simulated.ts'
import { COMMITTEE, COMMITTEES, PROCESSES, SIMULATED, SIZE_RANGES, type Size } from './sizes.ts'
import { judgeRows } from './verdict.ts'

const SIZES = { simulated: SIMULATED, committee: COMMITTEES, processes: PROCESSES } as const
type MeasuredMode = keyof typeof SIZES
const MODES = Object.keys(SIZES) as MeasuredMode[]

interface Options {
  readonly mode: readonly MeasuredMode[]
  readonly members?: readonly number[]
  readonly rounds?: number
  readonly results?: string
  readonly report?: string
  readonly json: boolean
}

const program = new Command('npm run bench -- consensus')
  .description(
    'Counts what a round of the protocol costs a member, in simulated consortia without faults and in real daemons.'
  )
  .option(
    '--mode <list>',
    'simulated (all train and vote), committee (20 train, 20 vote), processes (daemons)',
    modes,
    MODES
  )
  .option('--members <list>', 'sizes to measure instead of the default ones', positiveIntegers)
  .option('--rounds <n>', 'rounds to count for each size', (text) => positiveIntegers(text)[0]!)
  .option('--results <file>', 'file that keeps every row, from which a later run resumes')
  .option('--report <folder>', 'folder for consensus.md and consensus.svg')
  .option('--json', 'print one JSON object as the last line of standard output', false)
  .addHelpText(
    'after',
    `
Everything takes some ten minutes, most of them for 100 members and 16 processes. Exit code 1 where there are not exactly
five delays from the last certificate to the seal, or where a committee's costs are not flat.

Examples:
  $ npm run bench -- consensus --json --report docs/results
  $ npm run bench -- consensus --mode simulated --members 4,7,10
  $ npm run bench -- consensus --mode committee --members 100,1000
  $ npm run bench -- consensus --mode processes --members 4 --rounds 3`
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

const options = program.opts<Options>()
const work = options.mode.map((mode) => ({ mode, sizes: sizesOf(mode, options) }))
try {
  await main()
} catch (error) {
  say(`error: ${(error as Error).message}`)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const rows: CostRow[] = []
  const kept = options.results === undefined ? [] : readRows(options.results)
  for (const { mode, sizes } of work)
    for (const [members, rounds] of sizes) {
      const known = kept.filter((row) => row.members === members && measuredBy(row) === mode)
      rows.push(...known)
      if (known.length > 0) continue
      say(`${mode}, ${members} members, ${rounds} rounds …`)
      const fresh = await measure(mode, members, rounds)
      rows.push(...fresh)
      if (options.results !== undefined)
        appendFileSync(options.results, fresh.map((row) => `${JSON.stringify(row)}\n`).join(''))
    }
  const verdict = judgeRows(rows)
  say(costTable(rows))
  for (const fault of verdict.faults) say(`FAILED: ${fault}`)
  if (options.report !== undefined) {
    // Loaded lazily: loading the plotter takes longer than reading flags.
    const { plotCosts } = await import('./plot.ts')
    mkdirSync(options.report, { recursive: true })
    writeFileSync(join(options.report, 'consensus.svg'), await plotCosts(rows))
    writeFileSync(join(options.report, 'consensus.md'), costReport(rows, verdict, 'consensus.svg'))
  }
  if (options.json) console.log(JSON.stringify({ rows, ...verdict }))
  process.exitCode = verdict.faults.length === 0 ? 0 : 1
}

async function measure(mode: MeasuredMode, members: number, rounds: number): Promise<CostRow[]> {
  if (mode === 'committee') return [measureSimulated({ members, drawn: COMMITTEE, rounds }, say).whole]
  if (mode === 'simulated') {
    const { whole, votePath } = measureSimulated({ members, rounds }, say)
    return [whole, votePath]
  }
  // A simulation never yields: a handler would not run, and would keep the signal from ending the process.
  const stop = new AbortController()
  const end = (signal: string) => stop.abort(new Error(`stopped by ${signal}`))
  process.once('SIGINT', end).once('SIGTERM', end)
  const folder = await mkdtemp(join(tmpdir(), 'loam-bench-consensus-'))
  try {
    return [await measureProcesses({ members, rounds, folder, onProgress: say, signal: stop.signal })]
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end)
    await rm(folder, { recursive: true, force: true })
  }
}

/** Rows of an earlier run. @throws {Error} when the file contains something else */
function readRows(file: string): CostRow[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  try {
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as CostRow)
  } catch (error) {
    throw new Error(`${file} is not a file of --results: choose another name`, { cause: error })
  }
}

/** The mode whose run a row comes from: the vote path is a part of the simulated rounds. */
function measuredBy({ mode }: CostRow): MeasuredMode {
  return mode === 'vote-path' ? 'simulated' : mode
}

/** The sizes that are to be measured in a mode; ends the process if none of the requested sizes is possible. */
function sizesOf(mode: MeasuredMode, { members, rounds }: Options): readonly Size[] {
  const { least, most } = SIZE_RANGES[mode]
  const usual = SIZES[mode]
  const sizes: readonly Size[] =
    members?.filter((size) => size >= least && size <= most).map((size) => [size, roundsOf(usual, size)]) ??
    usual
  if (sizes.length === 0) program.error(`error: --members: ${mode} takes ${least} to ${most}`)
  return rounds === undefined ? sizes : sizes.map(([size]) => [size, rounds])
}

/** As many rounds as for the next larger usual size. */
function roundsOf(usual: readonly Size[], members: number): number {
  return (usual.find(([size]) => size >= members) ?? usual.at(-1)!)[1]
}

function modes(text: string): MeasuredMode[] {
  const named = text.split(',')
  const unknown = named.find((name) => !MODES.includes(name as MeasuredMode))
  if (unknown !== undefined) throw new InvalidArgumentError(`${unknown} is not one of ${MODES.join(', ')}`)
  return MODES.filter((mode) => named.includes(mode))
}

function say(line: string): void {
  console.error(line)
}
