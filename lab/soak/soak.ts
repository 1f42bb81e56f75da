import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { integer } from '../../src/cli/options/parsers.ts'
import { EXIT, printProgress, printResult } from '../../src/cli/terminal/output.ts'
import { runSoak } from './run-soak.ts'
import { judgeTenths, meanOf, type TenthHoldings } from './verdict.ts'

interface SoakFlags {
  peers: number
  rounds: number
  samples: number
  json?: boolean
}

const command = new Command('npm run lab -- soak')
  .description(
    'run peers on this machine for many short rounds, and check whether their resource usage grows'
  )
  .option('--peers <n>', 'peers', integer('--peers', 2, 8), 4)
  .option('--rounds <n>', 'rounds', integer('--rounds', 10), 300)
  .option('--samples <n>', 'readings of /metrics per tenth', integer('--samples', 1), 6)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText(
    'after',
    `
Compares the second tenth of the run with the last, peer by peer. Memory of the daemon and of its trainer, and the disk,
may grow by a tenth; open files, timers and handles by a tenth plus four. Seals stay on disk by design and are shown
separately. Exit code 1 if something grew more, or the run failed.

  $ npm run lab -- soak
  $ npm run lab -- soak --rounds 40 --json`
  )
  .action(soak)

async function soak({ peers, rounds, samples, json }: SoakFlags): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'loam-soak-'))
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)))
  const began = performance.now()
  const tenths = await runSoak({
    peers,
    rounds,
    samples,
    folder,
    onProgress: printProgress,
    signal: stop.signal
  })
  const judged = judgeTenths(tenths)
  const faults = judged.filter(({ ok }) => !ok)
  const seconds = Math.round((performance.now() - began) / 1000)
  const rows = tenths[0]!.map((_, tenth) => meanOf(tenths.map((kept) => kept[tenth]!)))
  const result = { peers, rounds, seconds, tenths: rows, byPeer: tenths, judged, ok: faults.length === 0 }
  printResult(result, json === undefined ? {} : { json }, () => report(rows, judged, rounds))
  if (json === true) process.stderr.write(`${report(rows, judged, rounds)}\n`)
  if (faults.length === 0) await rm(folder, { recursive: true, force: true })
  else printProgress(`homes and logs stay in ${folder}`)
  process.exitCode = faults.length === 0 ? EXIT.done : EXIT.failed
}

function report(
  rows: readonly TenthHoldings[],
  judged: ReturnType<typeof judgeTenths>,
  rounds: number
): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
  const header = [
    'rounds',
    'memory',
    'heap',
    'trainer',
    'files',
    'timers',
    'handles',
    'disk',
    'of rounds',
    'seals'
  ]
  const cells = rows.map((row, tenth) => [
    `${Math.round((tenth * rounds) / 10) + 1}-${Math.round(((tenth + 1) * rounds) / 10)}`,
    megabytes(row.memory),
    megabytes(row.heap),
    megabytes(row.trainerMemory),
    row.openFiles.toFixed(1),
    row.timers.toFixed(1),
    row.handles.toFixed(1),
    megabytes(row.boundedDisk),
    row.roundsKept.toFixed(1),
    megabytes(row.seals)
  ])
  const widths = header.map((title, column) =>
    Math.max(...[header, ...cells].map((row) => row[column]!.length), title.length)
  )
  const lines = [header, ...cells].map((row) =>
    row.map((cell, column) => cell.padStart(widths[column]!)).join('  ')
  )
  const worst = [...new Set(judged.map(({ what }) => what))].map((what) => {
    const of = judged.filter((one) => one.what === what)
    const { peer, ratio } = of.reduce((left, right) => (right.ratio > left.ratio ? right : left))
    return `${of.every(({ ok }) => ok) ? 'flat ' : 'GROWS'}  ${what}: last / second tenth at most ${ratio.toFixed(3)} (peer ${peer})`
  })
  return [`Means over the peers, by tenth of ${rounds} rounds; sizes in MB`, ...lines, '', ...worst].join(
    '\n'
  )
}

await command.parseAsync()
