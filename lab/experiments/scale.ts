import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import type { TopLevelSpec } from 'vega-lite'
import { renderSvg } from './plots.ts'
import {
  fullBytes,
  measureScale,
  membersBeyond,
  type ScaleCase,
  type ScaleRow,
  type ScaleShape,
  SMOLLM_135M,
  TINY_SHAPE
} from './scale-measure.ts'

interface ScaleOptions {
  readonly members: readonly number[]
  readonly trainers: number
  readonly out: string
  readonly quick: boolean
  readonly json: boolean
}

const program = new Command('npm run lab -- scale')
  .description('Measures what a round costs a member as the consortium grows: bytes, memory, seconds.')
  .option('--members <list>', 'sizes of the consortium', counts, [10, 100, 1000])
  .option('--trainers <n>', 'members that train in a round, if not all do', (text) => counts(text)[0]!, 10)
  .option('--out <folder>', 'folder for table and plot', 'docs/results')
  .option('--quick', 'tiny modules: takes a second', false)
  .option('--json', 'print one JSON object at the end, everything else to standard error', false)
  .addHelpText('after', '\nExample:\n  $ npm run lab -- scale --members 10,100,1000')

await scale(program.parse().opts<ScaleOptions>())

async function scale(options: ScaleOptions): Promise<void> {
  const shape = options.quick ? TINY_SHAPE : SMOLLM_135M
  // The first call includes compiling the kernels.
  for (const rule of ['flora', 'florist'] as const)
    measureScale(TINY_SHAPE, { rule, members: 10, trainers: 10 })
  const rows = casesOf(options).map((scaleCase) => {
    process.stderr.write(`${seriesOf(scaleCase)}, ${scaleCase.members} members …\n`)
    return measureScale(shape, scaleCase)
  })
  const full = fullBytes(shape)
  const crossings = { modules: membersBeyond(shape, full.modules), model: membersBeyond(shape, full.model) }
  const out = resolve(options.out)
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'scale.md'), markdown(shape, rows, full, crossings))
  writeFileSync(join(out, 'scale.svg'), await renderSvg(plot(rows, full)))
  if (options.json) console.log(JSON.stringify({ shape: shape.name, full, crossings, rows }))
  else console.log(table(rows))
}

function casesOf({ members, trainers }: ScaleOptions): ScaleCase[] {
  return [
    ...members.map((count) => ({ rule: 'flora', members: count, trainers: count }) as const),
    ...members.map(
      (count) => ({ rule: 'flora', members: count, trainers: Math.min(trainers, count) }) as const
    ),
    ...members.map((count) => ({ rule: 'florist', members: count, trainers: count }) as const)
  ].filter((scaleCase, index, all) => all.findIndex((other) => sameCase(scaleCase, other)) === index)
}

function sameCase(left: ScaleCase, right: ScaleCase): boolean {
  return left.rule === right.rule && left.members === right.members && left.trainers === right.trainers
}

function seriesOf({ rule, members, trainers }: ScaleCase): string {
  return trainers < members ? `${rule}, ${trainers} trainers` : rule
}

function markdown(
  shape: ScaleShape,
  rows: readonly ScaleRow[],
  full: { modules: number; model: number },
  crossings: { modules: number; model: number }
): string {
  return `# What a round costs as the consortium grows

Written by \`npm run lab -- scale\`. Shape of ${shape.name}: ${shape.layers} layers, q and v adapted, ranks 64, 32, 16, 16, 8, 8,
4, 4, 4, 4 in turn. Aggregating and merging one layer is measured on one thread and multiplied by
${shape.layers}; memory is that of one module. In a mesh without a server every member fetches the shards of all trainers (*shards*);
*outcome* is what a member that trusts others to aggregate would fetch.

${table(rows)}

Sending the complete adapted modules would take ${megabytes(full.modules)} MB, the whole model ${megabytes(full.model)} MB, in
float32. The shards of a round exceed the adapted modules from **${crossings.modules} members** on, and the whole model from
**${crossings.model} members** on. With a fixed number of trainers they never do.

![scale](scale.svg)
`
}

function table(rows: readonly ScaleRow[]): string {
  return [
    '| rule | members | trainers | rank | MB own | MB shards | MB outcome | seconds | MB memory |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.map(
      (row) =>
        `| ${row.rule} | ${row.members} | ${row.trainers} | ${row.rank} | ${megabytes(row.bytesOwn)} | ${megabytes(row.bytesShards)} | ${megabytes(row.bytesOutcome)} | ${row.seconds.toFixed(2)} | ${megabytes(row.memoryBytes)} |`
    )
  ].join('\n')
}

function plot(rows: readonly ScaleRow[], full: { modules: number; model: number }): TopLevelSpec {
  const fewest = Math.min(...rows.map(({ trainers }) => trainers))
  // If all members are trainers, the point belongs to both of FLoRA's lines.
  const values = rows.flatMap((row) =>
    [
      ...(row.rule === 'flora' && row.trainers === row.members ? ['flora'] : []),
      ...(row.rule === 'flora' && row.trainers === fewest ? [`flora, ${fewest} trainers`] : []),
      ...(row.rule === 'florist' ? ['florist, outcome'] : [])
    ].map((series) => ({
      series,
      members: row.members,
      megabytes: (row.rule === 'florist' ? row.bytesOutcome : row.bytesShards) / 1e6
    }))
  )
  const lines = [
    { text: 'adapted modules', megabytes: full.modules / 1e6 },
    { text: 'whole model', megabytes: full.model / 1e6 }
  ]
  const y = {
    field: 'megabytes',
    type: 'quantitative',
    scale: { type: 'log' },
    title: 'MB received by a member in a round'
  } as const
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    width: 420,
    height: 280,
    layer: [
      {
        data: { values },
        mark: { type: 'line', point: true },
        encoding: {
          x: { field: 'members', type: 'quantitative', scale: { type: 'log' }, title: 'members' },
          y,
          color: { field: 'series', type: 'nominal', title: 'rule' }
        }
      },
      { data: { values: lines }, mark: { type: 'rule', strokeDash: [4, 4] }, encoding: { y } },
      {
        data: { values: lines },
        mark: { type: 'text', align: 'left', dx: 4, dy: -6, x: 0 } as never,
        encoding: { y, text: { field: 'text' } }
      }
    ]
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

function counts(text: string): number[] {
  const values = text.split(',').map(Number)
  if (values.some((value) => !Number.isSafeInteger(value) || value < 1 || value > 65_535))
    throw new InvalidArgumentError('must be integers from 1 to 65535, separated by commas')
  return values
}
