import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { loadBaseModel } from '../../src/model/index.ts'
import { maximumFaulty } from '../../src/protocol/index.ts'
import { loadCorpus } from '../experiments/corpus.ts'
import { createHeldOutScorer, meanLoss } from '../experiments/held-out.ts'
import { createLocalTrainer } from '../experiments/local-training.ts'
import { createMembers } from '../experiments/members.ts'
import { experimentSettings } from '../experiments/settings.ts'
import { POISON_ATTACKS, type PoisonAttack } from './poison-attacks.ts'
import { POISON_DEFENCES, type PoisonDefence } from './poison-defences.ts'
import { type PoisonLaboratory, type PoisonRun, runPoisoned } from './poison-run.ts'

/** One run, as it is printed. Losses are means over the honest members' domains, nats per token. */
interface PoisonRow {
  readonly members: number
  readonly poisoners: number
  readonly attack: PoisonAttack
  readonly defence: PoisonDefence
  /** Of the honest members alone, without a defence. */
  readonly honestLoss: number
  readonly loss: number
  /** Of the base model. */
  readonly baseLoss: number
}

interface PoisonOptions {
  readonly model?: string
  readonly members: readonly number[]
  readonly rounds: number
  readonly seed: number
  readonly attack: readonly PoisonAttack[]
  readonly defence: readonly PoisonDefence[]
  readonly out: string
  readonly json: boolean
}

const RANK = 8

const program = new Command('npm run lab -- poison')
  .description(
    'Lets f of n members poison, with the engine that peers train with and without a network, and prints what that does to the held-out loss of the others.'
  )
  .option('--model <folder>', 'base model (default: the model that Loam ships)')
  .option('--members <n,n>', 'sizes of the consortium', counts, [4, 7, 10])
  .option('--rounds <n>', 'rounds of a run', count, 10)
  .option('--seed <n>', 'what decides everything', count, 1)
  .addOption(new Option('--attack <names...>', 'attacks').choices(POISON_ATTACKS).default(POISON_ATTACKS))
  .addOption(
    new Option('--defence <names...>', 'defences; default: what a new charter has')
      .choices(POISON_DEFENCES)
      .default(POISON_DEFENCES)
  )
  .option('--out <folder>', 'where finished runs are kept', '.loam/poison')
  .option('--json', 'print one JSON object at the end, everything else to standard error', false)
  .addHelpText(
    'after',
    `
Runs that are in the file already are not made again: an interrupted one goes on after its last whole run.

Examples:
  $ npm run lab -- poison --members 4 --rounds 3
  $ npm run lab -- poison --defence default --json`
  )

try {
  const options = program.parse().opts<PoisonOptions>()
  const rows = await makeRows(options)
  if (options.json) console.log(JSON.stringify({ rows }))
  else for (const row of rows) console.log(rowText(row))
} catch (error) {
  process.stderr.write(`\nerror: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function makeRows(options: PoisonOptions): Promise<PoisonRow[]> {
  const base = loadBaseModel(baseModelFolder(options.model))
  const finished = openFinished(join(resolve(options.out), 'poison.jsonl'))
  const rows: PoisonRow[] = []
  for (const count of options.members) {
    const settings = { ...experimentSettings(base, false), members: count }
    const domains = await loadCorpus(base, settings)
    const poisoners = maximumFaulty(count)
    // The honest members' domains alone are scored: the poisoners are the first members.
    const scorer = await createHeldOutScorer(base, domains.slice(poisoners), settings)
    const trainer = createLocalTrainer(base, settings)
    const laboratory: PoisonLaboratory = {
      base,
      settings,
      rank: RANK,
      trainer,
      scorer,
      firstRounds: new Map()
    }
    const all = createMembers(base, domains, 'domain', options.seed, settings)
    const honest = all.slice(poisoners)
    const lossOf = (run: Pick<PoisonRun, 'poisoners' | 'attack' | 'defence'>): Promise<number> => {
      const { rounds, seed } = options
      const { stepsPerRound, learningRate } = settings
      const id = [options.model ?? '', count, rounds, seed, stepsPerRound, learningRate, RANK, run.attack]
      return finished.once([...id, run.defence].join(' '), async () => {
        const members = run.poisoners === 0 ? honest : all
        const note = (round: number) =>
          process.stderr.write(`${count} members, ${run.attack}, ${run.defence}: round ${round}/${rounds}\n`)
        const weights = await runPoisoned(laboratory, members, { ...run, rounds, seed }, note)
        return meanLoss(await scorer.score(weights))
      })
    }
    const baseLoss = meanLoss(await scorer.score(base.weights))
    const honestLoss = await lossOf({ poisoners: 0, attack: 'none', defence: 'none' })
    for (const defence of options.defence) {
      for (const attack of options.attack) {
        const run = { poisoners: attack === 'none' ? 0 : poisoners, attack, defence }
        const row = { members: count, ...run, honestLoss, loss: await lossOf(run), baseLoss }
        process.stderr.write(`${rowText(row)}\n`)
        rows.push(row)
      }
    }
    await trainer.dispose()
    await scorer.dispose()
  }
  return rows
}

/** Losses of finished runs by what decided them, on disk line by line. A loss that is not finite is kept as null. */
function openFinished(path: string) {
  const losses = new Map<string, number>()
  mkdirSync(dirname(path), { recursive: true })
  if (existsSync(path)) {
    const text = readFileSync(path, 'utf8')
    // What a crash left of a line would run together with the next one.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    if (whole.length < text.length) writeFileSync(path, whole)
    for (const line of whole.split('\n').slice(0, -1)) {
      const { id, loss } = JSON.parse(line) as { id: string; loss: number | null }
      losses.set(id, loss ?? Number.NaN)
    }
  }
  return {
    async once(id: string, make: () => Promise<number>): Promise<number> {
      const known = losses.get(id)
      if (known !== undefined) return known
      const loss = await make()
      losses.set(id, loss)
      appendFileSync(path, `${JSON.stringify({ id, loss })}\n`)
      return loss
    }
  }
}

function rowText({ members, poisoners, attack, defence, honestLoss, loss, baseLoss }: PoisonRow): string {
  const share = (100 * (loss - honestLoss)) / (baseLoss - honestLoss)
  const worse = `${share.toFixed(1)} % of the gain lost`
  return `n ${members} f ${poisoners} ${attack.padEnd(13)} ${defence.padEnd(12)} base ${baseLoss.toFixed(4)} honest ${honestLoss.toFixed(4)} loss ${loss.toFixed(4)}  ${worse}`
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('give a whole number from 1 on')
  return value
}

function counts(text: string): number[] {
  return text.split(',').map(count)
}
