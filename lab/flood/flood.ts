import { Command, InvalidArgumentError, Option } from 'commander'
import { table } from '../../src/cli/terminal/table.ts'
import { type FloodPair, runFlood } from './run-flood.ts'
import { FLOODS, type Flood } from './useless-messages.ts'

interface Options {
  readonly flood: Flood
  readonly honest: number
  readonly rate: number
  readonly rounds: number
  readonly pairs: number
  readonly json?: boolean
}

const program = new Command('npm run lab -- flood')
  .description(
    'Measures the effect of a member that floods a real network with valid but useless messages: how much longer a round takes, and the cost of a message for the others. Rounds with and without the flood take turns. Linux only.'
  )
  .addOption(
    new Option('--flood <how>', 'by gossip, or in answers to sync').choices(FLOODS).default('gossip')
  )
  .option('--honest <n>', 'honest members, in addition to the one that floods', wholeNumber, 3)
  .option('--rate <n>', 'messages per second', wholeNumber, 2_000)
  .option('--rounds <n>', 'rounds of each half of a pair', wholeNumber, 5)
  .option('--pairs <n>', 'pairs', wholeNumber, 3)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText('after', '\nExamples:\n  npm run lab -- flood\n  npm run lab -- flood --rate 500 --pairs 5')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

const { json, ...options } = program.opts<Options>()
const rows = await runFlood({ ...options, tell: (text) => void process.stderr.write(`${text}\n`) })
const ratio = median(rows.map((row) => row.ratio))
console.log(rowsText(rows))
console.log(`median ratio ${ratio.toFixed(2)}`)
if (json === true) console.log(JSON.stringify({ ...options, rows, ratio }))
process.exit(0)

function rowsText(pairs: readonly FloodPair[]): string {
  const column = (title: string, of: (pair: FloodPair) => string) => ({ title, of, align: 'right' as const })
  const mebibytes = (bytes: number) => Math.round(bytes / 1024 ** 2).toString()
  return table<FloodPair>(
    [
      column('quiet s', (pair) => pair.quietSeconds.toFixed(2)),
      column('flood s', (pair) => pair.floodSeconds.toFixed(2)),
      column('ratio', (pair) => pair.ratio.toFixed(2)),
      column('sent/s', (pair) => pair.sentPerSecond.toFixed(0)),
      column('ms/message', (pair) => pair.cpuMsPerMessage.toFixed(3)),
      column('MiB quiet', (pair) => mebibytes(pair.quietMemory)),
      column('MiB flood', (pair) => mebibytes(pair.floodMemory)),
      column('load', (pair) => pair.load.toFixed(1))
    ],
    pairs
  )
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.floor((sorted.length - 1) / 2)]!
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}
