import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSamples, readMetrics } from '../../lab/soak/read-metrics.ts'
import { type PreparedPeer, TESTNET_DEFAULTS } from '../../scripts/testnet/index.ts'
import { NetworkRun, type PeerView } from '../../scripts/testnet/network-run.ts'
import { addSettings, keepDocuments, prepareTestnet } from '../../scripts/testnet/prepare-homes.ts'
import { packageRoot } from '../../src/package-root.ts'
import { quorumSize } from '../../src/protocol/index.ts'
import { median } from '../support/median.ts'
import type { ProcessRow } from './cost-row.ts'
import { sealTimes } from './seal-times.ts'

/** Documents of each peer. */
const DOCUMENTS = 4
/** Rounds before counting begins: peers connect, trainers start. */
const WARM_UP_ROUNDS = 2
/** All peers wait for each other: a cut without a slow process would cost less. */
const TIMEOUTS = { gatherMs: 300_000, graceMs: 300_000, proposeMs: 30_000, voteMs: 30_000, growthMs: 1_000 }
/** The daemons' logs show when they hold a certificate, the start of `sealMs`. */
const LOG = { level: 'info,rounds=debug', maxSize: '64 MiB' }

/** What a peer has counted since it started. */
interface Counted {
  /** Rounds. */
  readonly sealed: number
  readonly messages: number
  readonly sent: number
  readonly bytes: number
  readonly distinct: number
  readonly distinctBytes: number
  readonly syncBytes: number
}

/** Options for measuring real processes. */
export interface ProcessOptions {
  readonly members: number
  /** Rounds that are counted, after the first ones. */
  readonly rounds: number
  /** Where homes and logs go. */
  readonly folder: string
  readonly onProgress: (line: string) => void
  readonly signal: AbortSignal
}

/**
 * Runs `loam peer` daemons on this machine, which train next to nothing, and reads their own counters: gossipsub's,
 * including repetitions, and sync's.
 *
 * @throws {Error} when they do not seal the rounds, or leave a member out of one
 */
export async function measureProcesses(options: ProcessOptions): Promise<ProcessRow> {
  const { members, rounds, folder, onProgress, signal } = options
  const last = WARM_UP_ROUNDS + rounds
  const prepared = await prepareTestnet(
    {
      ...TESTNET_DEFAULTS,
      peers: members,
      // The peers keep running while the last counters are read.
      rounds: last + 100,
      ranks: [2, 1],
      steps: 1,
      batchSize: 1,
      sequenceLength: 16,
      model: join(packageRoot(), 'models', 'loam-base-1m'),
      folder
    },
    () => {},
    { timeouts: TIMEOUTS, targetModules: ['q_proj', 'v_proj'] }
  )
  await addSettings(prepared.peers, { log: LOG })
  await keepDocuments(prepared.peers, DOCUMENTS)
  const run = new NetworkRun(prepared, () => {}, onProgress)
  try {
    await run.start()
    await run.untilSealed(WARM_UP_ROUNDS, signal)
    onProgress(`${members} processes: they run, counting ${rounds} rounds`)
    const began = performance.now()
    const before = await countAll(prepared.peers)
    for (let round = WARM_UP_ROUNDS + 1; round <= last; round++) {
      await run.untilSealed(round, signal)
      onProgress(`${members} processes: round ${round - WARM_UP_ROUNDS} of ${rounds}`)
    }
    const seconds = (performance.now() - began) / 1000
    const after = await countAll(prepared.peers)
    requireWholeCuts(run.views, last)
    // Rounds go on while a busy machine answers: each peer's counts are divided by the rounds that it counted meanwhile.
    const passed = after.map(({ sealed }, peer) => sealed - before[peer]!.sealed)
    if (Math.min(...passed) < 1) throw new Error('a peer sealed nothing between the readings of its counters')
    const perRound = (of: (counted: Counted) => number) =>
      sum(after.map((counted, peer) => (of(counted) - of(before[peer]!)) / passed[peer]!)) / members
    const counted = Array.from({ length: rounds }, (_, index) => WARM_UP_ROUNDS + 1 + index)
    return {
      members,
      mode: 'processes',
      messages: tenths(perRound(({ messages }) => messages)),
      bytes: Math.round(perRound(({ bytes }) => bytes)),
      // On the loopback a message takes almost no time; what takes time is the work between two messages.
      delays: null,
      sent: tenths(perRound(({ sent }) => sent)),
      rounds,
      distinct: tenths(perRound(({ distinct }) => distinct)),
      distinctBytes: Math.round(perRound(({ distinctBytes }) => distinctBytes)),
      syncBytes: Math.round(perRound(({ syncBytes }) => syncBytes)),
      roundSeconds: tenths((seconds * members) / sum(passed)),
      sealMs: Math.round(median(await sealMilliseconds(prepared.peers, counted))),
      stackMs: median(
        run.views.flatMap(({ sealed }) =>
          sealed.filter(({ round }) => counted.includes(round)).map(({ ms }) => ms.stack)
        )
      )
    }
  } finally {
    await run.stop()
  }
}

function countAll(peers: readonly PreparedPeer[]): Promise<Counted[]> {
  return Promise.all(peers.map(async ({ home }) => countedIn(await readMetrics(home))))
}

/** Reads the counters from Prometheus' text format. @throws {Error} when one is missing */
function countedIn(text: string): Counted {
  const samples = parseSamples(text)
  const total = (name: string, label = '') => {
    const found = samples.filter((sample) => sample.name === name)
    if (found.length === 0) throw new Error(`/metrics has no ${name}`)
    return sum(found.filter(({ labels }) => labels.includes(label)).map(({ value }) => value))
  }
  return {
    sealed: total('loam_rounds_sealed_total'),
    messages: total('gossipsub_rpc_recv_message_total'),
    sent: total('gossipsub_rpc_sent_message_total'),
    bytes: total('gossipsub_rpc_recv_bytes_total'),
    distinct:
      total('gossipsub_msg_received_prevalidation_total') - total('gossipsub_pre_validation_duplicate_total'),
    distinctBytes: total('loam_payload_received_bytes_total', 'protocol="gossip"'),
    syncBytes: total('loam_payload_received_bytes_total', 'protocol="/loam/sync/1"')
  }
}

/** @throws {Error} when a member was left out: such a round is not the fault-free case */
function requireWholeCuts(views: readonly PeerView[], last: number): void {
  for (const { round, cut } of views[0]!.sealed)
    if (round > WARM_UP_ROUNDS && round <= last && cut.length < views.length)
      throw new Error(
        `round ${round} stacked ${cut.length} of ${views.length} shards: the machine is too busy`
      )
}

/** Of each round, from the time when a quorum held all certificates until a quorum had sealed. */
async function sealMilliseconds(
  peers: readonly PreparedPeer[],
  rounds: readonly number[]
): Promise<number[]> {
  const logs = await Promise.all(peers.map(async ({ home }) => sealTimes(await readFile(home.log, 'utf8'))))
  const quorum = quorumSize(peers.length)
  return rounds.map((round) => {
    const times = logs.flatMap((log) => log.get(round) ?? [])
    if (times.length < quorum) throw new Error(`the logs of too few peers mention round ${round}`)
    const reached = (moments: number[]) => moments.sort((left, right) => left - right)[quorum - 1]!
    return reached(times.map(({ sealed }) => sealed)) - reached(times.map(({ certified }) => certified))
  })
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function tenths(value: number): number {
  return Number(value.toFixed(1))
}
