/**
 * Speed of the canonical merge beside the machine's BLAS (whose fused instructions it forgoes), and of the stack beside
 * a plain copy, in one run. One thread is measured in processor time, two on the wall's clock, for which the machine has
 * to be quiet.
 *
 * Usage: npm run bench:merge -- [--json]
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { blasSpeed } from './blas.ts'
import type { BuilderMemory } from './builder.ts'
import { mergeSpeed, type RoundSpeed } from './merge-speed.ts'
import { cachedStackSpeed, type StackSpeed, stackSpeed } from './stack-speed.ts'

const FEATURES = 4096
const RANKS = [16, 64, 160]
/** q and v of the 32 layers of Llama 7B, as ten members of the paper's ranks leave them. */
const ROUND = { modules: 64, rank: 160 }
/** BLAS needs no more of the round than this to show its speed. */
const BLAS_MODULES = 8
/** What the builder's memory is seen with: its files are on disk, 64 MiB a module. */
const BUILDER_MODULES = 8
const MODULE_BYTES = 4 * FEATURES * FEATURES

interface Row {
  readonly shape: string
  readonly rank: number
  readonly threads: number
  readonly gflops: number
  readonly blasGflops: number | null
  readonly ratio: number | null
}

const rows: Row[] = []
const say = (line: string) => console.error(line)

function add(shape: string, rank: number, threads: number, gflops: number, blas: number | undefined): void {
  const rounded = (value: number) => Number(value.toPrecision(4))
  rows.push({
    shape,
    rank,
    threads,
    gflops: rounded(gflops),
    blasGflops: blas === undefined ? null : rounded(blas),
    ratio: blas === undefined ? null : rounded(gflops / blas)
  })
}

for (const threads of [1, 2]) {
  say(`merging with ${threads} ${threads === 1 ? 'thread' : 'threads'} ...`)
  const one = blasSpeed(FEATURES, FEATURES, 1, RANKS, threads)
  if (one === undefined) say('no Python with numpy was found: no BLAS to compare with')
  for (const rank of RANKS) {
    const gflops = await mergeSpeed(FEATURES, FEATURES, rank, threads)
    add(`${FEATURES}x${FEATURES}`, rank, threads, gflops, one?.gflops[rank])
  }
  const round = roundOf(threads)
  const many = blasSpeed(FEATURES, FEATURES, BLAS_MODULES, [ROUND.rank], threads)
  const shape = `${ROUND.modules}x${FEATURES}x${FEATURES}`
  add(shape, ROUND.rank, threads, round.gflops, many?.gflops[ROUND.rank])
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
  const part = round.peakBytes <= MODULE_BYTES ? 'within' : 'MORE THAN'
  say(`${shape}: ${mib(round.peakBytes)} beyond the adapter, ${part} one module (${mib(MODULE_BYTES)})`)
  const { adapterBytes, peakBytes, seconds } = inProcess<BuilderMemory>('./builder.js', [
    FEATURES,
    BUILDER_MODULES,
    threads
  ])
  const beyond = peakBytes - adapterBytes
  say(
    `the peer's builder, ${BUILDER_MODULES} modules from disk to disk in ${seconds.toFixed(1)} s: ${mib(beyond)} beyond the adapter, ${beyond <= MODULE_BYTES ? 'within' : 'MORE THAN'} one module`
  )
}

function roundOf(threads: number): RoundSpeed {
  return inProcess('./round.js', [FEATURES, FEATURES, ROUND.modules, ROUND.rank, threads])
}

function inProcess<Result>(file: string, numbers: readonly number[]): Result {
  const script = fileURLToPath(new URL(file, import.meta.url))
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', script, ...numbers.map(String)],
    { encoding: 'utf8' }
  )
  if (status !== 0) throw new Error(`${file} failed: ${stderr}`)
  return JSON.parse(stdout) as Result
}

say('stacking ...')
const stack = { ...stackSpeed(), cached: cachedStackSpeed() }
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ rows, stack }))
} else {
  const table = new Table({ head: ['shape', 'rank', 'threads', 'GFLOP/s', 'BLAS', 'ratio'] })
  for (const { shape, rank, threads, gflops, blasGflops, ratio } of rows)
    table.push([shape, rank, threads, gflops, blasGflops ?? '-', ratio ?? '-'])
  console.log(table.toString())
  const line = ({ GBps, memcpyGBps, ratio }: StackSpeed) =>
    `${GBps} GB/s, memcpy ${memcpyGBps} GB/s, ratio ${ratio}`
  console.log(`stack ${line(stack)}; within the caches ${line(stack.cached)}`)
}
