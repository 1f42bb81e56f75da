import { prometheusMetrics } from '@libp2p/prometheus-metrics'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { PeerState, Phase } from '../../protocol/index.ts'
import type { Home } from '../home/home.ts'
import type { HeldOutReport, PeerReport, SealedReport } from '../home/peer-report.ts'
import { LOG_LEVELS, type LogLevel } from '../log/levels.ts'
import type { HostMetrics, NetworkHost } from '../network/index.ts'
import { diskMeter } from './disk-usage.ts'
import { gossipRegister } from './gossip-register.ts'
import { residentBytes } from './resident-bytes.ts'

/** Where values that are looked at with every reading come from. */
export interface MetricsSources {
  readonly home: Home
  readonly host: Pick<NetworkHost, 'traffic' | 'peers'>
  readonly state: () => PeerState
  readonly trainerPid: () => number | undefined
  /** Clients that listen to events now, and events that slow ones have lost. */
  readonly streams: () => { readonly open: number; readonly dropped: number }
}

/** All metrics of one peer. */
export interface PeerMetrics extends HostMetrics {
  readonly contentType: string
  /** Adds what is read from a running peer. */
  watch(sources: MetricsSources): void
  /** Takes what the peer reports. */
  note(report: PeerReport): void
  noteRejected(): void
  /** @param line JSON as the logger writes it */
  noteLogLine(line: string): void
  /** Prometheus' text format. */
  text(): Promise<string>
}

const PHASES: readonly Phase[] = ['training', 'gathering', 'deciding', 'stacking', 'sealing']
/** Levels by the numbers that the logger writes for them. */
const LEVEL_OF_NUMBER = new Map<string, LogLevel>([
  ['20', 'debug'],
  ['30', 'info'],
  ['40', 'warn'],
  ['50', 'error']
])
/** Rounds take from a second to hours. */
const SECONDS_BUCKETS = [0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200]

/** Metrics of a peer, in a registry of their own. */
export function createMetrics(version: string): PeerMetrics {
  const registry = new Registry()
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] })
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers: [registry] })
  gauge('loam_build_info', 'Version of loam and Node; always 1', ['version', 'node']).set(
    { version, node: process.version },
    1
  )
  const round = gauge('loam_round', 'Round under way, counted from 1')
  const view = gauge('loam_view', 'View of the round under way; -1 before the cut is decided')
  const phase = gauge('loam_phase', 'Phase of the round under way: 1 for the present one', ['phase'])
  const halted = gauge('loam_halted', '1 when the peer has halted and a person has to look')
  const step = gauge('loam_training_step', 'Training step of the round under way')
  const steps = gauge('loam_training_steps', 'Training steps a round')
  const loss = gauge('loam_training_loss_nats', 'Loss of the last training step, nats per token')
  const shards = gauge('loam_shards', 'Shards of the round under way: known, and held with all blocks', [
    'state'
  ])
  const connected = gauge('loam_connected_peers', 'Peers with an open connection')
  const members = gauge('loam_members', 'Members of the round under way')
  const quorum = gauge('loam_quorum_members', 'Members that make a quorum')
  const sealed = counter('loam_rounds_sealed_total', 'Rounds sealed since the start', ['outcome'])
  const cut = gauge('loam_cut_members', 'Members whose shards the last sealed round stacked')
  const heldOut = counter(
    'loam_held_out_updates_total',
    'Updates of others that were measured on the own held-out text',
    ['outcome']
  )
  const received = counter('loam_payload_received_bytes_total', 'Payload that came in', ['protocol'])
  const sent = counter('loam_payload_sent_bytes_total', 'Payload that went out', ['protocol'])
  const rejected = counter('loam_messages_rejected_total', 'Messages that no honest peer sends')
  const lines = counter('loam_log_lines_total', 'Lines of the log', ['level'])
  const disk = gauge('loam_disk_usage_bytes', 'Size of the home by part', ['part'])
  const trainer = gauge(
    'loam_trainer_resident_memory_bytes',
    'Memory of the trainer process; 0 where unknown'
  )
  const streams = gauge('loam_control_streams', 'Clients that listen to events of the control API')
  const lost = counter('loam_control_dropped_events_total', 'Events that slow clients have not got')
  const seconds = (name: string, help: string, labelNames: string[] = []) =>
    new Histogram({ name, help, labelNames, buckets: SECONDS_BUCKETS, registers: [registry] })
  const roundSeconds = seconds('loam_round_duration_seconds', 'From one seal to the next')
  const phaseSeconds = seconds('loam_phase_duration_seconds', 'Time in each phase of a round', ['phase'])
  for (const outcome of ['stacked', 'void']) sealed.inc({ outcome }, 0)
  for (const outcome of ['lower', 'higher', 'refused']) heldOut.inc({ outcome }, 0)
  for (const level of LOG_LEVELS) lines.inc({ level }, 0)
  for (const one of PHASES) phase.set({ phase: one }, 0)

  const noteSealed = ({ stackDigest, ms, cut: entries }: SealedReport) => {
    sealed.inc({ outcome: stackDigest === null ? 'void' : 'stacked' })
    cut.set(entries.length)
    let total = 0
    for (const [name, milliseconds] of Object.entries(ms)) {
      phaseSeconds.observe({ phase: name }, milliseconds / 1000)
      total += milliseconds / 1000
    }
    roundSeconds.observe(total)
  }
  let look = async () => {}
  return {
    libp2p: prometheusMetrics({ registry, preserveExistingMetrics: false }),
    gossip: gossipRegister(registry),
    contentType: registry.contentType,
    watch({ home, host, state, trainerPid, streams: streamsNow }) {
      const usage = diskMeter(home)
      const raisers = { received: raiser(received), sent: raiser(sent), lost: raiser(lost) }
      look = async () => {
        const { context, halted: reason, view: now, phase: current } = state()
        round.set(context.round)
        view.set(now)
        members.set(context.members.length)
        quorum.set(context.quorum)
        halted.set(reason === undefined ? 0 : 1)
        for (const one of PHASES) phase.set({ phase: one }, one === current ? 1 : 0)
        connected.set(host.peers().length)
        trainer.set(await residentBytes(trainerPid()))
        const { open, dropped } = streamsNow()
        streams.set(open)
        raisers.lost({}, dropped)
        for (const [protocol, totals] of host.traffic.totals()) {
          raisers.received({ protocol }, totals.received)
          raisers.sent({ protocol }, totals.sent)
        }
        for (const [part, bytes] of Object.entries(await usage())) disk.set({ part }, bytes)
      }
    },
    note(report) {
      if (report.type === 'sealed') noteSealed(report)
      if (report.type === 'heldOut') heldOut.inc({ outcome: outcomeOf(report) })
      if (report.type !== 'progress') return
      step.set(report.step)
      steps.set(report.steps)
      if (report.loss !== null) loss.set(report.loss)
      shards.set({ state: 'held' }, report.shardsHeld)
      shards.set({ state: 'known' }, report.shardsKnown)
    },
    noteRejected: () => rejected.inc(),
    noteLogLine(line) {
      const level = LEVEL_OF_NUMBER.get(/"level":(\d+)/.exec(line)?.[1] ?? '')
      if (level !== undefined) lines.inc({ level })
    },
    async text() {
      await look()
      return registry.metrics()
    }
  }
}

function outcomeOf({ before, after, isRefused }: HeldOutReport): string {
  if (isRefused) return 'refused'
  return after <= before ? 'lower' : 'higher'
}

/** Brings a counter to totals that are counted elsewhere. */
function raiser(counter: Counter): (labels: Record<string, string>, total: number) => void {
  const known = new Map<string, number>()
  return (labels, total) => {
    const key = Object.values(labels).join()
    counter.inc(labels, Math.max(0, total - (known.get(key) ?? 0)))
    known.set(key, total)
  }
}
