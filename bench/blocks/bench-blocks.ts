import { Command, Option } from 'commander'
import { measureMemory } from './memory.ts'
import { measurePair, type PairResult } from './pair.ts'
import { measureSwarm, type SwarmRow } from './swarm.ts'
import { type LineResult, measureWideArea, type WideAreaResult } from './wide-area/wide-area.ts'
import { wideAreaObstacle } from './wide-area/wide-area-lab.ts'

const PARTS = ['a', 'b', 'c', 'd'] as const
type Part = (typeof PARTS)[number]

const program = new Command('npm run bench -- blocks')
  .description(
    'Moves blocks between real processes on this machine: a pair beside a bare stream of the same stack and TCP, swarms ' +
      'of peers that all publish, the same on slow lines (Linux, root), and the memory of a peer that receives 1 GiB.'
  )
  .addOption(
    new Option('--part <part>', 'only this part: a pair, b swarms, c slow lines, d memory').choices(PARTS)
  )
  .option('--json', 'print one JSON object on the last line, everything else on stderr', false)
  .addHelpText(
    'after',
    `
Examples:
  npm run bench -- blocks
  npm run bench -- blocks --part a --json`
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

const { part, json } = program.opts<{ part?: Part; json: boolean }>()
const say = json ? console.error : console.log
const wants = (name: Part) => part === undefined || part === name
const PAIR_MIB = 256
const SWARMS = [4, 8, 16]

const result: {
  pair?: PairResult
  swarm?: SwarmRow[]
  wan?: WideAreaResult | { readonly skipped: string }
  rssMB?: number
} = {}
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
  result.swarm = []
  for (const peers of SWARMS) {
    const row = await measureSwarm(peers, result.pair!.MBps)
    result.swarm.push(row)
    say(
      `    ${peers} peers: bytes in ÷ unique ${row.duplication.toFixed(3)}, time ÷ ideal ${row.timeRatio.toFixed(2)} (${row.seconds.toFixed(2)} s), ` +
        `the first time ${row.firstTimeRatio.toFixed(2)}, own blocks sent at most ${row.authorUploadRatio.toFixed(2)} times; over gossip ${(100 * row.gossip.arrived).toFixed(0)} % had arrived after ${row.gossip.seconds.toFixed(1)} s`
    )
  }
  say('    to reach: bytes in at most 1.05, time at most 1.5')
}
if (wants('c')) {
  const obstacle = await wideAreaObstacle()
  if (obstacle !== undefined) {
    say(`(c) SKIPPED, so this part is not measured: ${obstacle}`)
    result.wan = { skipped: obstacle }
  } else {
    say('(c) 8 peers in network namespaces, 50 Mbit/s, 40 ms from one to another …')
    result.wan = await measureWideArea(sayLine)
    say('    to reach without loss: time at most 1.6, own blocks sent at most 2 times')
  }
}
if (wants('d')) {
  say('(d) 1 GiB into one peer …')
  result.rssMB = await measureMemory()
  say(`    peak memory ${result.rssMB.toFixed(0)} MB (to reach 400)`)
}
if (json) console.log(JSON.stringify(result))

function sayLine(
  name: string,
  { timeRatio, authorUploadRatio, seconds, megabitsPerSecond, congestionControl, tcp, line }: LineResult
) {
  say(
    `    ${name}: time ÷ ideal ${timeRatio.toFixed(2)} (${seconds.toFixed(1)} s, ${megabitsPerSecond.toFixed(1)} Mbit/s into a peer), ` +
      `own blocks sent ${authorUploadRatio.toFixed(2)} times; one bare TCP stream (${congestionControl}) ${tcp.megabitsPerSecond.toFixed(1)} Mbit/s; ` +
      `forwarder: 99 % of the packets at most ${line.lateMs99 + 1} ms late, ${line.dropped} dropped`
  )
}
