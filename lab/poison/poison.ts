import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { loadBaseModel } from '../../src/model/index.ts'
import { CHARTER_DEFAULTS } from '../../src/node/consortium/charter-defaults.ts'
import { FinishedRuns } from './finished-runs.ts'
import { POISON_ATTACKS, type PoisonAttack } from './poison-attacks.ts'
import { POISON_DEFENCES, type PoisonDefence } from './poison-defences.ts'
import { finishedRows, makeMatrix, type PoisonRow, TRAININGS, type Training } from './poison-matrix.ts'
import { poisonMarkdown } from './poison-report.ts'

interface PoisonOptions {
  readonly model?: string
  readonly members: readonly number[]
  readonly rounds: number
  readonly seed: readonly number[]
  readonly training: readonly Training[]
  readonly attack: readonly PoisonAttack[]
  readonly defence: readonly PoisonDefence[]
  readonly margin: number
  readonly out: string
  readonly render: boolean
  readonly report?: string
  readonly json: boolean
}

const program = new Command('npm run lab -- poison')
  .description(
    "Measures how f poisoners among n members change the held-out loss of the others, with the peers' training engine and without a network."
  )
  .option('--model <folder>', 'base model (default: the model that Loam ships)')
  .option('--members <n,n>', 'sizes of the consortium', counts, [4, 7, 10])
  .option('--rounds <n>', 'rounds of a run', count, 10)
  .option('--seed <n,n>', 'seeds, with one run each', counts, [1])
  .addOption(
    new Option(
      '--training <names...>',
      'short: 10 steps of 4 × 64 tokens, q and v; peer: as a peer trains by default, 40 steps of 8 × 128, all linear modules'
    )
      .choices(TRAININGS)
      .default(['short'])
  )
  .addOption(
    new Option('--attack <names...>', 'attacks; honest: the same members without an attack, for comparison')
      .choices(POISON_ATTACKS)
      .default(POISON_ATTACKS.filter((attack) => attack !== 'honest'))
  )
  .addOption(
    new Option('--defence <names...>', 'defences; default: those of a new charter; reputation: an experiment')
      .choices(POISON_DEFENCES)
      .default(POISON_DEFENCES.filter((defence) => defence !== 'reputation'))
  )
  .option(
    '--margin <x>',
    'margin of the held-out check, nats per token',
    Number,
    CHARTER_DEFAULTS.heldOutMargin
  )
  .option('--out <folder>', 'folder for finished runs', '.loam/poison')
  .option('--render', 'run nothing, and print the runs finished so far', false)
  .option('--report <file>', 'Markdown file to write all finished runs to')
  .option('--json', 'print one JSON object at the end, everything else to standard error', false)
  .addHelpText(
    'after',
    `
Runs already in the file are skipped, so an interrupted experiment resumes after its last complete run.

Examples:
  $ npm run lab -- poison --members 4 --rounds 3
  $ npm run lab -- poison --defence none default --seed 1,2,3 --json
  $ npm run lab -- poison --training peer --members 4 --report docs/results/poison.md`
  )

try {
  const options = program.parse().opts<PoisonOptions>()
  const finished = new FinishedRuns(join(resolve(options.out), 'poison.jsonl'))
  const rows = options.render ? finishedRows(finished.all) : await makeRows(options, finished)
  if (options.report !== undefined) writeFileSync(options.report, poisonMarkdown(finished.all))
  if (options.json) console.log(JSON.stringify({ rows }))
  else for (const row of rows) console.log(rowText(row))
} catch (error) {
  process.stderr.write(`\nerror: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function makeRows(options: PoisonOptions, finished: FinishedRuns): Promise<PoisonRow[]> {
  const base = loadBaseModel(baseModelFolder(options.model))
  const { model = '', rounds, margin, attack: attacks, defence: defences } = options
  const note = (line: string) => process.stderr.write(`${line}\n`)
  const rows: PoisonRow[] = []
  for (const training of options.training)
    for (const members of options.members)
      for (const seed of options.seed) {
        const matrix = { model, training, members, rounds, seed, attacks, defences, margin }
        rows.push(...(await makeMatrix(base, matrix, finished, (row) => note(rowText(row)), note)))
      }
  return rows
}

function rowText(row: PoisonRow): string {
  const { training, members, poisoners, attack, defence, seed, honestLoss, loss, baseLoss } = row
  const share = (100 * (loss - honestLoss)) / (baseLoss - honestLoss)
  const worse = `${share.toFixed(1)} % of the gain lost`
  return `${training} n ${members} f ${poisoners} seed ${seed} ${attack.padEnd(13)} ${defence.padEnd(12)} base ${baseLoss.toFixed(4)} honest ${honestLoss.toFixed(4)} loss ${loss.toFixed(4)}  ${worse}`
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}

function counts(text: string): number[] {
  return text.split(',').map(count)
}
