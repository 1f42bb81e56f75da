import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { type BaseModel, loadBaseModel } from '../../src/model/index.ts'
import { loadCorpus } from './corpus.ts'
import type { Laboratory } from './federated-run.ts'
import { createHeldOutScorer } from './held-out.ts'
import { createLocalTrainer } from './local-training.ts'
import type { Split } from './members.ts'
import { planRuns, SPLITS, STUDIES, type Study } from './plan.ts'
import { openResults } from './results.ts'
import { type ExperimentProgress, runExperiment } from './run-experiment.ts'
import { experimentSettings } from './settings.ts'
import { RESULTS_FILE, writeReport } from './write-report.ts'

interface ExperimentOptions {
  readonly model?: string
  readonly rounds?: number
  readonly seeds?: number
  readonly only?: readonly Study[]
  readonly split?: readonly Split[]
  readonly learningRate?: number
  readonly out?: string
  readonly quick: boolean
  readonly render: boolean
  readonly json: boolean
}

const program = new Command('npm run lab -- experiment')
  .description(
    'Compares the aggregation rules without a network, using the same engine as peers: ten members with different text.'
  )
  .option('--model <folder>', 'base model (default: the model that Loam ships)')
  .option('--rounds <n>', 'rounds of the long runs (default: 20)', count)
  .option('--seeds <n>', 'number of seeds per run (default: 3)', count)
  .addOption(new Option('--only <studies...>', 'studies to run').choices(STUDIES))
  .addOption(new Option('--split <splits...>', 'splits of the text to run').choices(SPLITS))
  .option('--learning-rate <x>', 'learning rate, in place of 0.003', positive)
  .option('--out <folder>', 'folder for results (default: docs/results; with --quick .loam/experiment-quick)')
  .option(
    '--quick',
    'four members, two rounds, one seed: takes seconds, to check that everything runs',
    false
  )
  .option('--render', 'only rewrite report and plots from the results in --out', false)
  .option('--json', 'print one JSON object at the end, everything else to standard error', false)
  .addHelpText(
    'after',
    `
Writes ${RESULTS_FILE} (one line per run), experiment.md and plots. Runs already in the file are skipped, so an
interrupted experiment resumes after its last complete run. Seeds determine everything; machines differ only in rounding.

Examples:
  $ npm run lab -- experiment --quick
  $ npm run lab -- experiment                         about an hour and a half on one idle core
  $ npm run lab -- experiment --render
  $ npm run lab -- experiment --model ~/smollm --rounds 3 --seeds 1 --out smollm-results`
  )

try {
  await experiment(program.parse().opts<ExperimentOptions>())
} catch (error) {
  process.stderr.write(`\nerror: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function experiment(options: ExperimentOptions): Promise<void> {
  const out = resolve(options.out ?? (options.quick ? '.loam/experiment-quick' : 'docs/results'))
  if (!options.render) await makeRuns(options, out)
  const { rows, files } = await writeReport(out)
  if (options.json) console.log(JSON.stringify({ rows, files }))
  else for (const file of files) console.log(file)
}

async function makeRuns(options: ExperimentOptions, out: string): Promise<void> {
  const base = loadBaseModel(baseModelFolder(options.model))
  const settings = {
    ...experimentSettings(base, options.quick),
    ...(options.learningRate === undefined ? {} : { learningRate: options.learningRate })
  }
  const domains = await loadCorpus(base, settings)
  const scorer = await createHeldOutScorer(base, domains, settings)
  const laboratory: Laboratory = {
    base,
    settings,
    scorer,
    trainer: createLocalTrainer(base, settings),
    firstRounds: new Map()
  }
  const results = openResults(join(out, RESULTS_FILE), {
    model: options.model ?? 'loam-base-1m',
    weights: weightsDigest(base),
    domains: domains.map(({ name }) => name),
    base: await scorer.score(base.weights),
    settings
  })
  const plan = planRuns({
    seeds: options.seeds ?? (options.quick ? 1 : 3),
    rounds: options.rounds ?? (options.quick ? 2 : 20),
    studies: options.only ?? STUDIES,
    splits: options.split ?? SPLITS
  })
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => controller.abort(new Error('stopped: run it again to resume')))
  await runExperiment(laboratory, domains, plan, results, showProgress(), controller.signal)
  await laboratory.trainer.dispose()
  await scorer.dispose()
}

/** A line that is overwritten in a terminal, otherwise one line per run. */
function showProgress(): (progress: ExperimentProgress) => void {
  return ({ run, runs, id, round, rounds, secondsLeft }) => {
    const left = secondsLeft === undefined ? '' : `, ${Math.ceil(secondsLeft / 60)} min left`
    const line = `${run}/${runs} ${id}: round ${round}/${rounds}${left}`
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${line}${round === rounds ? '\n' : ''}`)
    else if (round === rounds) process.stderr.write(`${line}\n`)
  }
}

function weightsDigest({ weights }: BaseModel): string {
  const hash = createHash('sha256')
  for (const [name, { data }] of [...weights].sort(([left], [right]) => (left < right ? -1 : 1)))
    hash.update(name).update(data)
  return hash.digest('hex')
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('must be a positive number')
  return value
}
