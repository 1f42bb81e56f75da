import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { type CostRow, measure } from './measure.ts'
import { plotCost } from './plot.ts'

/** Members, and rounds that are measured: where all train, a round has n³ deliveries of endorsements. */
const ALL: readonly [number, number][] = [
  [4, 5],
  [7, 5],
  [10, 5],
  [20, 3],
  [40, 1],
  [100, 1]
]
const COMMITTEES: readonly [number, number][] = [
  [100, 2],
  [300, 1],
  [1_000, 1]
]

const program = new Command('bench:consensus')
  .description('Counts what a round costs a member, in simulated consortia without faults.')
  .option('--most <members>', 'leave larger consortia out', Number, 1_000)
  .option('--plot <file>', 'write the costs as an SVG')
  .option('--json', 'one JSON object as the last line', false)
  .addHelpText(
    'after',
    '\nExample:\n  npm run bench:consensus -- --json --plot docs/results/consensus-cost.svg'
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

const options = program.opts<{ most: number; plot?: string; json: boolean }>()
const rows: CostRow[] = []
for (const [mode, sizes] of [
  ['all', ALL],
  ['committee', COMMITTEES]
] as const) {
  for (const [members, rounds] of sizes) {
    if (members > options.most) continue
    rows.push(measure(members, mode, rounds))
    console.error(`${members} members, ${mode}: done`)
  }
}
const table = new Table({
  head: ['members', 'who trains and votes', 'received', 'sent', 'KB received', 'delays'],
  colAligns: ['right', 'left', 'right', 'right', 'right', 'right'],
  style: { head: [], border: [] }
})
for (const { members, mode, messages, sent, bytes, delays } of rows)
  table.push([
    members,
    mode === 'all' ? 'all' : '20 and 20',
    messages,
    sent,
    (bytes / 1000).toFixed(1),
    delays
  ])
console.error(
  `Control messages per member and round; delays from the last certificate to the last seal.\n${table}`
)
if (options.plot !== undefined) {
  mkdirSync(dirname(options.plot), { recursive: true })
  writeFileSync(options.plot, await plotCost(rows))
}
if (options.json) console.log(JSON.stringify({ rows }))
