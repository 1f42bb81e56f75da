import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { Command } from 'commander'
import { packageRoot } from '../../src/package-root.ts'
import { median } from '../support/median.ts'
import { parseBench, positiveInteger, positiveIntegers } from '../support/options.ts'
import { runJson } from '../support/run-json.ts'
import { describeTorch, findTorch } from '../support/torch.ts'
import { writeProblem } from '../train/problem.ts'
import { type BenchShape, benchShapes, shapeOption } from '../train/shapes.ts'
import type { GenerationMeasurement } from './loam-process.ts'

interface BenchOptions {
  readonly shape?: BenchShape
  readonly threads: readonly number[]
  readonly runs: number
  readonly prompt: number
  readonly tokens: number
  readonly torch: boolean
}

interface GenerateRow {
  readonly shape: string
  readonly threads: number
  readonly executor: string
  readonly tokensPerSecond: number
  readonly torchTokensPerSecond?: number
  /** tokensPerSecond / torchTokensPerSecond */
  readonly ratio?: number
  readonly promptMs: number
  readonly torchPromptMs?: number
  readonly rssMB: number
  readonly torchRssMB?: number
  /** Leading tokens on which both agree; greedy texts diverge for good at their first near tie. */
  readonly sameTokens?: number
}

const options = parseBench<BenchOptions>(
  new Command('npm run bench -- generate')
    .description(
      'Times greedy generation with a cache of keys and values beside PyTorch, in processes that take turns.'
    )
    .addOption(shapeOption())
    .option('--threads <list>', 'numbers of threads, with commas', positiveIntegers, [1, 2])
    .option('--runs <n>', 'processes per side', positiveInteger, 5)
    .option('--prompt <n>', 'tokens to start from', positiveInteger, 16)
    .option('--tokens <n>', 'tokens to generate', positiveInteger, 128)
    .option('--no-torch', 'leave PyTorch out'),
  ['npm run bench -- generate', 'npm run bench -- generate --shape shipped --threads 1 --json']
)
const say = options.json ? console.error : console.log
const torch = options.torch ? await findTorch() : undefined
say(describeTorch(torch, options.torch))

const rows: GenerateRow[] = []
const folder = mkdtempSync(join(tmpdir(), 'loam-bench-'))
try {
  for (const shape of options.shape ? [options.shape] : benchShapes()) {
    say(`${shape.name}: ${shape.what}; ${options.tokens} tokens after ${options.prompt}`)
    writeProblem(folder, shape)
    for (const threads of options.threads) rows.push(await compare(shape.name, threads))
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
say(table(rows))
if (options.json && !process.exitCode) console.log(JSON.stringify({ rows }))

/** Runs both sides in turn, each time in a new process, and takes the medians. */
async function compare(shape: string, threads: number): Promise<GenerateRow> {
  const args = [folder, String(threads), String(options.prompt), String(options.tokens)]
  const ours: GenerationMeasurement[] = []
  const theirs: GenerationMeasurement[] = []
  for (let run = 0; run < options.runs; run++) {
    const script = fileURLToPath(new URL('loam-process.js', import.meta.url))
    ours.push((await runJson(process.execPath, [script, ...args])) as GenerationMeasurement)
    if (torch) {
      const python = join(packageRoot(), 'bench', 'generate', 'torch-generate.py')
      const measured = await runJson(torch.python, [python, ...args], torch.environment(threads))
      theirs.push(measured as GenerationMeasurement)
    }
    const side = theirs.length ? `, PyTorch ${theirs.at(-1)!.tokensPerSecond.toFixed(0)}` : ''
    say(
      `${shape}, threads ${threads}, run ${run + 1} of ${options.runs}: Loam ${ours.at(-1)!.tokensPerSecond.toFixed(0)} tokens/s${side}`
    )
  }
  const of = (
    side: readonly GenerationMeasurement[],
    key: 'tokensPerSecond' | 'promptMs' | 'rssMB'
  ): number => median(side.map((measurement) => measurement[key]))
  const row = {
    shape,
    threads,
    executor: 'onnxruntime',
    tokensPerSecond: of(ours, 'tokensPerSecond'),
    promptMs: of(ours, 'promptMs'),
    rssMB: of(ours, 'rssMB')
  }
  if (!theirs.length) return row
  const torchTokensPerSecond = of(theirs, 'tokensPerSecond')
  const parted = ours[0]!.ids.findIndex((id, index) => id !== theirs[0]!.ids[index])
  return {
    ...row,
    torchTokensPerSecond,
    ratio: row.tokensPerSecond / torchTokensPerSecond,
    torchPromptMs: of(theirs, 'promptMs'),
    torchRssMB: of(theirs, 'rssMB'),
    sameTokens: parted < 0 ? ours[0]!.ids.length : parted
  }
}

function table(lines: readonly GenerateRow[]): string {
  const text = new Table({
    head: ['shape', 'thr', 'tokens/s', 'torch', 'ratio', 'prompt ms', 'torch', 'MB', 'torch', 'same'],
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 1 },
    colAligns: ['left', ...Array.from({ length: 9 }, () => 'right' as const)]
  })
  const fixed = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '-'
  for (const row of lines) {
    text.push([
      row.shape,
      row.threads,
      row.tokensPerSecond.toFixed(0),
      fixed(row.torchTokensPerSecond, 0),
      fixed(row.ratio, 2),
      row.promptMs.toFixed(1),
      fixed(row.torchPromptMs, 1),
      row.rssMB.toFixed(0),
      fixed(row.torchRssMB, 0),
      row.sameTokens === undefined ? '-' : `${row.sameTokens} of ${options.tokens}`
    ])
  }
  return text.toString()
}
