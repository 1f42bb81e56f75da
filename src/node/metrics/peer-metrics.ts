import { prometheusMetrics } from '@libp2p/prometheus-metrics'
import { type Counter, Registry } from 'prom-client'
import type { PeerState } from '../../protocol/index.ts'
import type { Home } from '../home/home.ts'
import type { HeldOutReport, PeerReport, SealedReport } from '../home/peer-report.ts'
import type { LogLevel } from '../log/levels.ts'
import type { HostMetrics, NetworkHost } from '../network/index.ts'
import { diskMeter } from './disk-usage.ts'
import { gossipRegister } from './gossip-register.ts'
import { createInstruments, type Instruments, PHASES } from './instruments.ts'
import { residentBytes } from './resident-bytes.ts'

/** Sources of values that are collected at each scrape. */
export interface MetricsSources {
  readonly home: Home
  readonly host: Pick<NetworkHost, 'traffic' | 'peers'>
  readonly state: () => PeerState
  readonly trainerPid: () => number | undefined
  /** Identities of which two copies ran of late. */
  readonly copies: () => number
  /** Clients subscribed to events, and events dropped for slow ones. */
  readonly streams: () => { readonly open: number; readonly dropped: number }
}

/** All metrics of one peer. */
export interface PeerMetrics extends HostMetrics {
  readonly contentType: string
  /** Adds metrics that are collected from a running peer. */
  watch(sources: MetricsSources): void
  /** Updates metrics from a report of the peer. */
  note(report: PeerReport): void
  noteRejected(): void
  noteDropped(messages: number): void
  /** @param line JSON as the logger writes it */
  noteLogLine(line: string): void
  /** Prometheus' text format. */
  text(): Promise<string>
}

/** Log levels by pino's numbers. */
const LEVEL_OF_NUMBER = new Map<string, LogLevel>([
  ['20', 'debug'],
  ['30', 'info'],
  ['40', 'warn'],
  ['50', 'error']
])
/** Metrics of a peer, in a registry of their own. */
export function createMetrics(version: string): PeerMetrics {
  const registry = new Registry()
  const instruments = createInstruments(registry, version)
  const { rejected, dropped, lines } = instruments
  let look = async () => {}
  return {
    libp2p: prometheusMetrics({ registry, preserveExistingMetrics: false }),
    gossip: gossipRegister(registry),
    contentType: registry.contentType,
    watch(sources) {
      look = reader(instruments, sources)
    },
    note: (report) => noteReport(instruments, report),
    noteRejected: () => rejected.inc(),
    noteDropped: (messages) => dropped.inc(messages),
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

/** Collects the state of a running peer at each scrape. */
function reader(
  instruments: Instruments,
  { home, host, state, trainerPid, streams, copies }: MetricsSources
): () => Promise<void> {
  const { round, view, members, quorum, halted, phase, connected, trainer, disk } = instruments
  const usage = diskMeter(home)
  const received = raiser(instruments.received)
  const sent = raiser(instruments.sent)
  const lost = raiser(instruments.lost)
  return async () => {
    const { context, halted: reason, view: now, phase: current } = state()
    round.set(context.round)
    view.set(now)
    members.set(context.members.length)
    quorum.set(context.quorum)
    halted.set(reason === undefined ? 0 : 1)
    instruments.copies.set(copies())
    for (const one of PHASES) phase.set({ phase: one }, one === current ? 1 : 0)
    connected.set(host.peers().length)
    trainer.set(await residentBytes(trainerPid()))
    const { open, dropped } = streams()
    instruments.streams.set(open)
    lost({}, dropped)
    for (const [protocol, totals] of host.traffic.totals()) {
      received({ protocol }, totals.received)
      sent({ protocol }, totals.sent)
    }
    for (const [part, bytes] of Object.entries(await usage())) disk.set({ part }, bytes)
  }
}

function noteReport(instruments: Instruments, report: PeerReport): void {
  const { heldOut, heldOutLoss, step, steps, loss, shards } = instruments
  if (report.type === 'sealed') noteSealed(instruments, report)
  if (report.type === 'heldOut') heldOut.inc({ outcome: outcomeOf(report) })
  if (report.type === 'evaluation')
    for (const model of ['base', 'start', 'own'] as const) {
      const nats = report[model]
      if (nats === null) heldOutLoss.remove({ model })
      else heldOutLoss.set({ model }, nats)
    }
  if (report.type !== 'progress') return
  step.set(report.step)
  steps.set(report.steps)
  if (report.loss !== null) loss.set(report.loss)
  shards.set({ state: 'held' }, report.shardsHeld)
  shards.set({ state: 'known' }, report.shardsKnown)
}

function noteSealed(
  { sealed, cut, phaseSeconds, roundSeconds }: Instruments,
  { stackDigest, ms, cut: entries }: SealedReport
): void {
  sealed.inc({ outcome: stackDigest === null ? 'void' : 'stacked' })
  cut.set(entries.length)
  let total = 0
  for (const [name, milliseconds] of Object.entries(ms)) {
    phaseSeconds.observe({ phase: name }, milliseconds / 1000)
    total += milliseconds / 1000
  }
  roundSeconds.observe(total)
}

function outcomeOf({ before, after, isRefused }: HeldOutReport): string {
  if (isRefused) return 'refused'
  return after <= before ? 'lower' : 'higher'
}

/** Raises a counter to a total that is counted elsewhere. */
function raiser(counter: Counter): (labels: Record<string, string>, total: number) => void {
  const known = new Map<string, number>()
  return (labels, total) => {
    const key = Object.values(labels).join()
    counter.inc(labels, Math.max(0, total - (known.get(key) ?? 0)))
    known.set(key, total)
  }
}
