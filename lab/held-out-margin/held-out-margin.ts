import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { type BaseModel, loadBaseModel } from '../../src/model/index.ts'
import { validationSettings } from '../../src/node/config/groups/validation.ts'
import { CHARTER_DEFAULTS } from '../../src/node/consortium/charter-defaults.ts'
import { writeFileAtomic } from '../../src/node/storage/atomic-file.ts'
import {
  domainsFederation,
  type Federation,
  folderFederation,
  SHORT_ROUNDS,
  TESTNET_TRAINING
} from './federations.ts'
import { marginMarkdown, marginRows } from './margin-report.ts'
import { MarginRounds, type Measurement } from './margin-rounds.ts'
import { type MeasuredFederation, signalsMarkdown } from './signals-report.ts'

interface MarginOptions {
  readonly model?: string
  readonly federation: readonly string[]
  readonly members: number
  readonly rounds: number
  readonly every: number
  readonly tokens: number
  readonly margin: number
  readonly out: string
  readonly render: boolean
  readonly report?: string
  readonly signals?: string
  readonly json: boolean
}

const program = new Command('npm run lab -- held-out-margin')
  .description(
    'Measures what honest and poisoned updates do to the held-out loss of other members, over rounds of honest training, to find the margin that the held-out check needs.'
  )
  .option('--model <folder>', 'base model (default: the model that Loam ships)')
  .option(
    '--federation <names...>',
    'testnet: its domains, trained as it trains; short: the same domains in short rounds; or a folder of NAME.train.jsonl and NAME.heldout.jsonl',
    ['testnet', 'short']
  )
  .option('--members <n>', 'members of testnet and short', count, 4)
  .option('--rounds <n>', 'rounds of honest training', count, 50)
  .option('--every <n>', 'try poisons in the first rounds and then in every n-th', count, 5)
  .option(
    '--tokens <n>',
    'tokens of held-out text to measure',
    count,
    validationSettings.parse({}).heldOutTokens
  )
  .option('--margin <x>', 'margin to count refusals with', Number, CHARTER_DEFAULTS.heldOutMargin)
  .option('--out <folder>', 'file for the measurements', '.loam/held-out-margin')
  .option('--render', 'run nothing, and print the measurements so far', false)
  .option('--report <file>', 'Markdown file to write the table to')
  .option(
    '--signals <file>',
    'Markdown file to write the other signals of poison to: measures more in the rounds that are run with it'
  )
  .option('--json', 'print one JSON object at the end, everything else to standard error', false)
  .addHelpText(
    'after',
    `
An interrupted run resumes after its last complete round.

Examples:
  $ npm run lab -- held-out-margin --federation short --rounds 5
  $ npm run lab -- held-out-margin --federation testnet ../shared/data/medquad`
  )

const FIRST_ROUNDS = 3

try {
  const options = program.parse().opts<MarginOptions>()
  const measured: MeasuredFederation[] = []
  for (const name of options.federation) measured.push(await measureFederation(name, options))
  const rows = measured.flatMap(({ name, members, found }) =>
    marginRows(name, members, found, options.margin)
  )
  if (options.report !== undefined)
    writeFileSync(options.report, marginMarkdown(rows, options.margin, options.tokens))
  if (options.signals !== undefined) writeFileSync(options.signals, signalsMarkdown(measured))
  if (options.json) console.log(JSON.stringify({ margin: options.margin, rows }))
  else process.stdout.write(marginMarkdown(rows, options.margin, options.tokens))
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function measureFederation(name: string, options: MarginOptions): Promise<MeasuredFederation> {
  const baseFolder = baseModelFolder(options.model)
  const base = loadBaseModel(baseFolder)
  const federation = await federationOf(name, base, baseFolder, options)
  const label = `${federation.name}-${federation.members.length}-${options.tokens}`
  const folder = join(resolve(options.out), label)
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'measurements.jsonl')
  const measured = (found: readonly Measurement[]): MeasuredFederation => ({
    name: federation.name,
    members: federation.members.length,
    found: found.filter(({ round }) => round <= options.rounds)
  })
  if (options.render) return measured(readMeasurements(path))
  const rounds = new MarginRounds(base, federation, folder, options.signals !== undefined)
  let start = rounds.begin()
  const found = readMeasurements(path).filter(({ round }) => round < start.round)
  writeFileSync(path, found.map((each) => `${JSON.stringify(each)}\n`).join(''))
  while (start.round <= options.rounds) {
    const withPoison = start.round <= FIRST_ROUNDS || start.round % options.every === 0
    const { next, found: more } = await rounds.run(start, withPoison)
    appendFileSync(path, more.map((each) => `${JSON.stringify(each)}\n`).join(''))
    found.push(...more)
    const state = JSON.stringify({ round: next.round, norms: next.norms })
    await writeFileAtomic(join(folder, 'state.json'), new TextEncoder().encode(state))
    rmSync(join(folder, `round-${start.round}.safetensors`), { force: true })
    process.stderr.write(`${label}: round ${start.round}/${options.rounds}\n`)
    start = next
  }
  await rounds.dispose()
  return measured(found)
}

async function federationOf(
  name: string,
  base: BaseModel,
  baseFolder: string,
  { members, tokens }: MarginOptions
): Promise<Federation> {
  if (name === 'testnet' || name === 'short') {
    const training = name === 'short' ? SHORT_ROUNDS : TESTNET_TRAINING
    return {
      name,
      training,
      isIsolated: false,
      members: await domainsFederation(base, members, training, tokens)
    }
  }
  if (!existsSync(name)) throw new Error(`unknown federation ${name}: use testnet, short or a folder`)
  return {
    name: basename(resolve(name)),
    training: TESTNET_TRAINING,
    isIsolated: true,
    members: await folderFederation(base, baseFolder, name, TESTNET_TRAINING, tokens)
  }
}

function readMeasurements(path: string): Measurement[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Measurement)
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}
