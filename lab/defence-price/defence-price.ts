import { Command, InvalidArgumentError } from 'commander'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { table } from '../../src/cli/terminal/table.ts'
import { type PricePair, runDefencePrice } from './run-defence-price.ts'

interface Options {
  readonly members: number
  readonly rounds: number
  readonly pairs: number
  readonly json?: boolean
}

const program = new Command('npm run lab -- defence-price')
  .description(
    'Measures how much longer a round of real peers takes with the defences of a new charter (clipping, the held-out veto) than without them, trained as in loam testnet. Networks with and without them take turns. Run it on an idle machine.'
  )
  .option('--members <n>', 'members', wholeNumber, 3)
  .option('--rounds <n>', 'rounds of each half of a pair', wholeNumber, 3)
  .option('--pairs <n>', 'pairs', wholeNumber, 2)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText(
    'after',
    '\nExamples:\n  npm run lab -- defence-price\n  npm run lab -- defence-price --members 2 --rounds 3 --pairs 1 --json'
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

const { json, ...options } = program.opts<Options>()
const pairs = await runDefencePrice({
  ...options,
  model: baseModelFolder(),
  tell: (text) => void process.stderr.write(`${text}\n`)
})
const ratio = median(pairs.map((pair) => pair.ratio))
const text = `${pairsText(pairs)}\nmedian ratio ${ratio.toFixed(3)}\n`
if (json === true) process.stderr.write(text)
else process.stdout.write(text)
if (json === true) console.log(JSON.stringify({ ...options, pairs, ratio }))
process.exit(0)

function pairsText(rows: readonly PricePair[]): string {
  const column = (title: string, of: (pair: PricePair) => string) => ({ title, of, align: 'right' as const })
  return table<PricePair>(
    [
      column('plain s', (pair) => pair.plainSeconds.toFixed(2)),
      column('defended s', (pair) => pair.defendedSeconds.toFixed(2)),
      column('ratio', (pair) => pair.ratio.toFixed(3)),
      column('load', (pair) => pair.load.toFixed(1))
    ],
    rows
  )
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor((values.length - 1) / 2)]!
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}
