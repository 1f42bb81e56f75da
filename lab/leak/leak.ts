import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { loadBaseModel } from '../../src/model/index.ts'
import { leakMarkdown, leakRows } from './leak-report.ts'
import { type LeakCase, LeakLaboratory, type LeakRun, leakCases } from './leak-runs.ts'

interface LeakOptions {
  readonly model?: string
  readonly seeds: number
  readonly out?: string
  readonly quick: boolean
  readonly render: boolean
  readonly json: boolean
}

const RUNS_FILE = 'leak.jsonl'

const program = new Command('npm run lab -- leak')
  .description(
    "Measures what a shard leaks about its author's text: membership inference on a trained adapter."
  )
  .option('--model <folder>', 'base model (default: the model that Loam ships)')
  .option('--seeds <n>', 'runs of each kind', count, 4)
  .option('--out <folder>', 'folder for results (default: docs/results; with --quick .loam/leak-quick)')
  .option('--quick', 'one tiny run of seconds, as a smoke test', false)
  .option('--render', 'only rewrite leak.md from the results in --out', false)
  .option('--json', 'print one JSON object at the end, everything else to standard error', false)
  .addHelpText(
    'after',
    `
Writes ${RUNS_FILE} (one line per run) and leak.md. Runs already in the file are skipped.

Examples:
  $ npm run lab -- leak --quick
  $ npm run lab -- leak                  about ten minutes on an idle core
  $ npm run lab -- leak --render`
  )

try {
  await leak(program.parse().opts<LeakOptions>())
} catch (error) {
  process.stderr.write(`\nerror: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function leak(options: LeakOptions): Promise<void> {
  const out = resolve(options.out ?? (options.quick ? '.loam/leak-quick' : 'docs/results'))
  mkdirSync(out, { recursive: true })
  const path = join(out, RUNS_FILE)
  const runs = readRuns(path)
  const folder = baseModelFolder(options.model)
  if (!options.render) await makeRuns(options, folder, path, runs)
  const order = leakCases(options.quick).map(kindOf)
  const rows = leakRows(
    runs.toSorted((left, right) => order.indexOf(kindOf(left)) - order.indexOf(kindOf(right)))
  )
  if (rows.length === 0) throw new Error(`${path} holds no runs: run without --render`)
  const report = leakMarkdown(rows, basename(folder))
  writeFileSync(join(out, 'leak.md'), report)
  console.log(options.json ? JSON.stringify({ rows }) : report)
}

async function makeRuns(options: LeakOptions, folder: string, path: string, runs: LeakRun[]): Promise<void> {
  const laboratory = new LeakLaboratory(loadBaseModel(folder))
  for (let seed = 0; seed < (options.quick ? 1 : options.seeds); seed++) {
    for (const leakCase of leakCases(options.quick)) {
      if (runs.some((run) => run.seed === seed && kindOf(run) === kindOf(leakCase))) continue
      const begun = performance.now()
      const run = await laboratory.run(leakCase, seed)
      appendFileSync(path, `${JSON.stringify(run)}\n`)
      runs.push(run)
      const seconds = ((performance.now() - begun) / 1000).toFixed(1)
      process.stderr.write(`${kindOf(leakCase)}, seed ${seed}, ${run.domain}: ${seconds} s\n`)
    }
  }
  await laboratory.dispose()
}

function readRuns(path: string): LeakRun[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  // A last line truncated by a crash is not a run.
  const rest = lines.pop()
  if (rest !== '') writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
  return lines.map((line) => JSON.parse(line) as LeakRun)
}

function kindOf({ view, rank, steps, documents }: LeakCase): string {
  return `${view}, rank ${rank}, ${steps} steps, ${documents} documents`
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer.')
  return value
}
