import Table from 'cli-table3'
import { Command, Option } from 'commander'
import { measureMemory } from './memory.ts'
import { measurePair, type PairResult } from './pair.ts'
import { measureSwarm, type SwarmRow } from './swarm.ts'

const PARTS = ['a', 'b', 'd'] as const
type Part = (typeof PARTS)[number]

const program = new Command('bench:blocks')
  .description(
    'Moves blocks between real processes on this machine: a pair beside a bare stream of the same stack and TCP, swarms ' +
      'of peers that all publish, and the memory of a peer that receives a lot.'
  )
  .addOption(new Option('--part <part>', 'only this part: a pair, b swarms, d memory').choices(PARTS))
  .option('--json', 'print one JSON object on the last line, everything else on stderr', false)
  .addHelpText(
    'after',
    `
Examples:
  npm run bench:blocks
  npm run bench:blocks -- --part a --json`
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

const { part, json } = program.opts<{ part?: Part; json: boolean }>()
const say = json ? console.error : console.log
const wants = (name: Part) => part === undefined || part === name
const PAIR_MIB = 256
const SWARMS = [4, 8, 16]

const result: { pair?: PairResult; swarm?: SwarmRow[]; rssMB?: number } = {}
if (wants('a') || wants('b')) {
  say('(a) one pair, 256 MiB …')
  result.pair = await measurePair(PAIR_MIB)
  const { MBps, bareMBps, tcpMBps, ratio, cpuMs, bareCpuMs } = result.pair
  say(
    `    blocks ${MBps.toFixed(0)} MB/s, bare stream ${bareMBps.toFixed(0)}, TCP ${tcpMBps.toFixed(0)}; ratio to bare ${ratio.toFixed(2)} (to reach 0.60)`
  )
  say(`    processor time of both sides: ${cpuMs.toFixed(1)} ms a MiB, bare ${bareCpuMs.toFixed(1)}`)
}
if (wants('b')) {
  say('(b) each of 4, 8, 16 peers publishes 16 MiB …')
  const table = new Table({
    head: ['peers', 'bytes in ÷ unique', 'time ÷ ideal', 's', 'most sent ÷ unique', 'gossip: arrived', 's'],
    style: { head: [], border: [], compact: true },
    wordWrap: true,
    colWidths: [7, 12, 10, 8, 12, 12, 8]
  })
  result.swarm = []
  for (const peers of SWARMS) {
    const row = await measureSwarm(peers, result.pair!.MBps)
    result.swarm.push(row)
    table.push([
      row.peers,
      row.duplication.toFixed(3),
      row.timeRatio.toFixed(2),
      row.seconds.toFixed(2),
      row.sentRatio.toFixed(2),
      `${(100 * row.gossip.arrived).toFixed(0)} %`,
      row.gossip.seconds.toFixed(1)
    ])
  }
  say(table.toString())
  say('    to reach: bytes in at most 1.05, time at most 1.5')
}
if (wants('d')) {
  say('(d) 1 GiB into one peer …')
  result.rssMB = await measureMemory()
  say(`    peak memory ${result.rssMB.toFixed(0)} MB (to reach 400)`)
}
if (json) console.log(JSON.stringify(result))
