import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { Command } from 'commander'
import { parseBench } from '../support/options.ts'
import { runJson } from '../support/run-json.ts'
import { type BlasSpeed, blasSpeed } from './blas.ts'
import type { BuilderMemory } from './builder.ts'
import { kernelRoof, roofOf } from './kernel-roof.ts'
import { mergeSpeed, type RoundSpeed } from './merge-speed.ts'
import { cachedStackSpeed, freshStackSpeed, type StackSpeed, stackSpeed } from './stack-speed.ts'

const { json } = parseBench(
  new Command('npm run bench -- merge').description(
    "Times the canonical merge beside the machine's BLAS (whose fused instructions it forgoes), and the stack beside a plain copy, in one run. One thread is measured in processor time, two on the wall's clock, for which the machine has to be idle."
  ),
  ['npm run bench -- merge', 'npm run bench -- merge --json']
)

const FEATURES = 4096
const RANKS = [16, 64, 160]
/** q and v of the 32 layers of Llama 7B, as stacked by ten members with the paper's ranks. */
const ROUND = { modules: 64, rank: 160 }
/** How often BLAS and the kernel take turns. */
const TURNS = 3
/** This part of the round is enough to measure BLAS. */
const BLAS_MODULES = 8
/** The builder's memory is measured with this many modules of 64 MiB each, on disk. */
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
  const blas: (BlasSpeed | undefined)[] = []
  const best = RANKS.map(() => 0)
  // In turns, since the machine's speed varies.
  for (let turn = 0; turn < TURNS; turn++) {
    blas.push(blasSpeed(FEATURES, FEATURES, 1, RANKS, threads))
    for (const [i, rank] of RANKS.entries())
      best[i] = Math.max(best[i]!, await mergeSpeed(FEATURES, FEATURES, rank, threads))
  }
  if (blas[0] === undefined) say('no Python with numpy was found: no BLAS to compare with')
  for (const [i, rank] of RANKS.entries()) {
    const ofRank = blas.flatMap((each) => each?.gflops[rank] ?? [])
    add(
      `${FEATURES}x${FEATURES}`,
      rank,
      threads,
      best[i]!,
      ofRank.length > 0 ? Math.max(...ofRank) : undefined
    )
  }
  // A round is long and its speed a mean, so BLAS is measured as a mean, too, before and after it.
  const before = blasOfRound(threads)
  const round = roundOf(threads)
  const after = blasOfRound(threads)
  const shape = `${ROUND.modules}x${FEATURES}x${FEATURES}`
  const mean = before === undefined || after === undefined ? undefined : 2 / (1 / before + 1 / after)
  add(shape, ROUND.rank, threads, round.gflops, mean)
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

const measured = kernelRoof()
const roof = {
  ...measured,
  gflops: Object.fromEntries(RANKS.map((rank) => [rank, roofOf(measured, FEATURES, FEATURES, rank)]))
}
say(
  `one thread can do ${RANKS.map((rank) => `${roof.gflops[rank]!.toFixed(1)} (rank ${rank})`).join(', ')} GFLOP/s: the inner loop ${measured.loopGflops.toFixed(1)} GFLOP/s, the weight in and out at ${measured.copyGBps.toFixed(1)} GB/s`
)

// Shows whether the machine really has two cores' worth of speed: here no thread waits for another.
const apart = await sideBySide()
say(
  `two processes of one thread each, side by side at rank ${ROUND.rank}: ${apart.map((each) => each.toFixed(1)).join(' + ')} GFLOP/s on the wall's clock`
)

function blasOfRound(threads: number): number | undefined {
  return blasSpeed(FEATURES, FEATURES, BLAS_MODULES, [ROUND.rank], threads)?.meanGflops[ROUND.rank]
}

async function sideBySide(): Promise<number[]> {
  const script = fileURLToPath(new URL('./one-merge.js', import.meta.url))
  const run = () => runJson(process.execPath, [script, ...[FEATURES, FEATURES, ROUND.rank].map(String)])
  return (await Promise.all([run(), run()])) as number[]
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
const stack = { ...stackSpeed(), cached: cachedStackSpeed(), fresh: freshStackSpeed() }
if (json) {
  console.log(JSON.stringify({ rows, stack, roof, sideBySide: apart }))
} else {
  const table = new Table({ head: ['shape', 'rank', 'threads', 'GFLOP/s', 'BLAS', 'ratio'] })
  for (const { shape, rank, threads, gflops, blasGflops, ratio } of rows)
    table.push([shape, rank, threads, gflops, blasGflops ?? '-', ratio ?? '-'])
  console.log(table.toString())
  const line = ({ GBps, memcpyGBps, ratio }: StackSpeed) =>
    `${GBps} GB/s, memcpy ${memcpyGBps} GB/s, ratio ${ratio}`
  console.log(`stack ${line(stack)}`)
  console.log(`  within the caches ${line(stack.cached)}`)
  console.log(`  into fresh memory ${line(stack.fresh)}`)
}
