import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { parseBench, positiveInteger, positiveIntegers } from '../support/options.ts'
import { describeTorch, findTorch } from '../support/torch.ts'
import { compareTraining, type TrainRow } from './compare.ts'
import { writeProblem } from './problem.ts'
import { type BenchShape, benchShapes, shapeOption } from './shapes.ts'

interface BenchOptions {
  readonly shape?: BenchShape
  readonly threads: readonly number[]
  readonly runs: number
  readonly torch: boolean
}

const options = parseBench<BenchOptions>(
  new Command('npm run bench -- train')
    .description(
      'Times a LoRA training step (rank 8 on q and v, Adam, frozen base weights) beside the same step in PyTorch, in ' +
        'processes that take turns, and checks that both compute the same losses. A Python with PyTorch is searched for in ' +
        'LOAM_PYTHON, /usr/bin/python3 and python3.'
    )
    .addOption(shapeOption())
    .option('--threads <list>', 'numbers of threads, with commas', positiveIntegers, [1, 2])
    .option('--runs <n>', 'processes per side', positiveInteger, 5)
    .option('--no-torch', 'leave PyTorch out'),
  [
    'npm run bench -- train',
    'npm run bench -- train --shape 15M --threads 2',
    'npm run bench -- train --json'
  ]
)
const say = options.json ? console.error : console.log
const torch = options.torch ? await findTorch() : undefined
say(describeTorch(torch, options.torch))

const rows: TrainRow[] = []
const folder = mkdtempSync(join(tmpdir(), 'loam-bench-'))
try {
  for (const shape of options.shape ? [options.shape] : benchShapes()) {
    say(`${shape.name}: ${shape.what}; batch ${shape.batchSize} x ${shape.sequenceLength}`)
    writeProblem(folder, shape)
    for (const threads of options.threads) {
      rows.push(await compareTraining({ shape, folder, threads, runs: options.runs, torch, onRun: say }))
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
say(table(rows))
if (options.json && !process.exitCode) console.log(JSON.stringify({ rows }))

function table(lines: readonly TrainRow[]): string {
  const text = new Table({
    head: ['shape', 'thr', 'ms', 'torch', 'ratio', 'tokens/s', 'MB', 'torch', 'ratio', 'outside', 'Δ loss'],
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 1 },
    colAligns: ['left', ...Array.from({ length: 10 }, () => 'right' as const)]
  })
  const fixed = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '-'
  for (const row of lines) {
    text.push([
      row.shape,
      row.threads,
      row.ms.toFixed(row.ms < 100 ? 1 : 0),
      fixed(row.torchMs, row.ms < 100 ? 1 : 0),
      fixed(row.ratio, 2),
      row.tokensPerSecond.toFixed(0),
      row.rssMB.toFixed(0),
      fixed(row.torchRssMB, 0),
      fixed(row.rssRatio, 2),
      `${(row.outsideShare * 100).toFixed(1)} %`,
      row.lossDifference?.toExponential(0) ?? '-'
    ])
  }
  return text.toString()
}
