import { basename, join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { packageRoot } from '../../src/package-root.ts'
import { loadCorpus } from '../experiments/corpus.ts'
import { experimentSettings } from '../experiments/settings.ts'
import { fineTuningCost } from './fine-tuning-cost.ts'
import { centralSteps, LINE, type MeasurePlan, measureQuality, measureSessions } from './measure.ts'
import { loadPair } from './pair.ts'
import { resultsJson, resultsText } from './results.ts'
import { passFlops } from './training-flops.ts'
import { writeReport } from './write-report.ts'

interface Options {
  readonly proxy: string
  readonly remote: string
  readonly prompts: number
  readonly tokens: number
  readonly ways: number
  readonly seeds: number
  readonly stepsPerRound: number
  readonly learningRate: number
  readonly centralLearningRate: number
  readonly report?: string | true
  readonly json: boolean
}

const ALPHA = 1
const MEMBERS = 4
const ROUNDS = 3
const RANK = 16
const MODELS = join(packageRoot(), 'models')
const REPORT = 'docs/results/prada.md'

const program = new Command('npm run prada')
  .description(
    'Runs Prada end to end on this machine: four members adapt the small model together, it steers the large one, and every claim is measured.'
  )
  .option('--proxy <folder>', 'the small model', join(MODELS, 'loam-base-1m'))
  .option('--remote <folder>', 'the large model, with the same tokenizer', join(MODELS, 'loam-base-8m'))
  .option('--prompts <n>', 'texts compared with naive decoding', count, 24)
  .option('--tokens <n>', 'tokens per text', count, 64)
  .option('--ways <n>', 'number of the 48 configurations tried per text', count, 1)
  .option('--seeds <n>', 'federations in the quality measurement', count, 3)
  .option('--steps-per-round <n>', 'training steps per member and round', count, 40)
  .option('--learning-rate <rate>', 'constant learning rate of the members', rate, 2e-3)
  .option(
    '--central-learning-rate <rate>',
    'constant learning rate of central fine-tuning of the large model',
    rate,
    1e-3
  )
  .option(
    '--report [file]',
    `also write the tables into a Markdown file, between its markers (default: ${REPORT})`
  )
  .option('--json', 'print one JSON object on the last line, everything else on stderr', false)
  .addHelpText(
    'after',
    `
The remote is a separate process (loam serve). The slow connection is a relay on
loopback with a round trip of ${LINE.roundTripMs} ms and ${LINE.megabitsPerSecond} Mbit/s each way. The large model is fine-tuned centrally with
the same computation as all members together, and for the first seed also on the same amount of text. Both learning rates are the
best of 1e-3, 2e-3 and 4e-3 on text that is not scored. npm run lab -- prada-exactness compares more texts.

Examples:
  $ npm run prada
  $ npm run prada -- --prompts 20 --seeds 1 --json
  $ npm run prada -- --ways 48        # all configurations for every text: hours`
  )

try {
  const options = program
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .parse()
    .opts<Options>()
  const pair = loadPair(options.proxy, options.remote)
  const settings = {
    ...experimentSettings(pair.proxy, false),
    members: MEMBERS,
    targetModules: ['all-linear'],
    stepsPerRound: options.stepsPerRound,
    sequenceLength: 128,
    learningRate: options.learningRate
  }
  const domains = await loadCorpus(pair.proxy, settings)
  const begun = performance.now()
  const progress = (what: string): void => {
    process.stderr.write(`${((performance.now() - begun) / 6e4).toFixed(1)} min  ${what}\n`)
  }
  const plan: MeasurePlan = {
    remoteFolder: options.remote,
    settings,
    rank: RANK,
    rounds: ROUNDS,
    centralRate: options.centralLearningRate,
    alpha: ALPHA,
    prompts: options.prompts,
    tokens: options.tokens,
    waysPerText: options.ways,
    seeds: options.seeds
  }
  progress('cost of fine-tuning')
  const cost = {
    proxy: await fineTuningCost(options.proxy, RANK),
    remote: await fineTuningCost(options.remote, RANK),
    proxyPass: passFlops(pair.proxy.config),
    remotePass: passFlops(pair.remote.config),
    central: centralSteps(pair, MEMBERS, plan)
  }
  const { runs, adapted } = await measureQuality(pair, domains, plan, progress)
  const sessions = await measureSessions(pair, domains, adapted, plan, progress)
  const results = {
    models: { proxy: basename(resolve(options.proxy)), remote: basename(resolve(options.remote)) },
    alpha: ALPHA,
    fullRowBytes: 4 * pair.vocabulary.tokens.length,
    quality: runs,
    run: { ...options, minutes: (performance.now() - begun) / 6e4 },
    cost,
    ...sessions
  }
  const text = resultsText(
    results,
    domains.map(({ name }) => name)
  )
  if (options.report !== undefined) writeReport(options.report === true ? REPORT : options.report, text)
  if (options.json) {
    process.stderr.write(`${text}\n`)
    console.log(JSON.stringify(resultsJson(results)))
  } else console.log(text)
} catch (error) {
  process.stderr.write(`\nerror: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

function rate(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('must be between 0 and 1')
  return value
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}
