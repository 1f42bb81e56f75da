import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { median } from '../support/median.ts'
import { exchangeAll, startMesh } from './peers/bench-peers.ts'

/** Part (b): a row of the table. */
export interface SwarmRow {
  readonly peers: number
  /** Bytes into each peer ÷ unique bytes, the mean over the peers. */
  readonly duplication: number
  /** Completion ÷ (bytes crossing all peers ÷ pair speed × 2 ÷ cores). */
  readonly timeRatio: number
  readonly seconds: number
  /** {@link timeRatio} of the first exchange, during which every process still compiles its code. */
  readonly firstTimeRatio: number
  /** How often the busiest author sent its own blocks; peers − 1 if everybody fetched them from the author. */
  readonly authorUploadRatio: number
  /** The same bytes over gossipsub: the share that had arrived when the time was over, and the seconds. */
  readonly gossip: { readonly arrived: number; readonly seconds: number }
}

const MiB = 2 ** 20
/** Number of exchanges by the same processes, as for a pair; the median counts. */
const RUNS = 3
const PUBLISHED_MIB = 16
const GOSSIP_BYTES = 96 * 1024
/** Time limit for gossip, seconds; the exchange takes less. */
const GOSSIP_SECONDS = 20
const REPORT_INTERVAL_MS = 250

/** Lets each of `peers` processes publish 16 MiB and fetch what all others published, several times. */
export async function measureSwarm(peers: number, pairMBps: number): Promise<SwarmRow> {
  const mesh = await startMesh(peers)
  try {
    const exchanged = []
    for (let run = 0; run < RUNS; run++) exchanged.push(await exchangeAll(mesh, PUBLISHED_MIB))
    // The processes' reports count from their start.
    const { unique, reports } = exchanged.at(-1)!
    const received = reports.reduce((sum, report) => sum + report.received, 0)
    const ideal = ((peers * unique) / 1e6 / pairMBps) * (2 / availableParallelism())
    const seconds = median(exchanged.map((each) => each.seconds))
    return {
      peers,
      duplication: received / peers / unique / RUNS,
      timeRatio: seconds / ideal,
      seconds,
      firstTimeRatio: exchanged[0]!.seconds / ideal,
      authorUploadRatio: Math.max(...reports.map(({ sentOwn }) => sentOwn)) / (RUNS * PUBLISHED_MIB * MiB),
      gossip: await measureGossip(mesh)
    }
  } finally {
    await Promise.all(mesh.map((peer) => peer.stop()))
  }
}

async function measureGossip(mesh: Awaited<ReturnType<typeof startMesh>>): Promise<SwarmRow['gossip']> {
  const messages = Math.ceil((PUBLISHED_MIB * MiB) / GOSSIP_BYTES)
  const expected = (mesh.length - 1) * messages * mesh.length
  const began = performance.now()
  const seconds = () => (performance.now() - began) / 1e3
  await Promise.all(mesh.map((peer) => peer.gossip(messages, GOSSIP_BYTES, GOSSIP_SECONDS * 1e3)))
  let heard = 0
  while (heard < expected && seconds() < GOSSIP_SECONDS) {
    // Polling the processes more often would slow them down.
    await delay(REPORT_INTERVAL_MS)
    heard = 0
    for (const report of await Promise.all(mesh.map((peer) => peer.report()))) heard += report.heard
  }
  return { arrived: heard / expected, seconds: seconds() }
}
