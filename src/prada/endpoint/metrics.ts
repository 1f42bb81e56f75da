import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Traffic } from '../remotes/remote.ts'
import type { PradaStatistics } from '../session/index.ts'

/** From a single token to a long text over a slow connection, seconds. */
const SECONDS_BUCKETS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 120, 300]
/** The ways in which a request ends. */
const OUTCOMES = ['answered', 'refused', 'failed', 'left'] as const

/** How a request ended: answered, refused (4xx), failed (5xx, also mid-stream), or left by its client. */
export type Outcome = (typeof OUTCOMES)[number]

/** Counters of an endpoint. */
export interface EndpointMetrics {
  readonly contentType: string
  text(): Promise<string>
  request(outcome: Outcome, seconds: number): void
  firstToken(seconds: number): void
  prompt(tokens: number): void
  made(tokens: number, inexact: number): void
  /** Counts the network cost of a text. */
  line(statistics: PradaStatistics): void
  sealedRound(round: number): void
  /** Requests answered and tokens generated since the start. */
  totals(): { readonly requests: number; readonly tokens: number; readonly inexact: number }
}

/** Values collected when the metrics are scraped. */
export interface EndpointGauges {
  active(): number
  waiting(): number
  isReady(): boolean
  /** The current source's round. */
  traffic(): Traffic | undefined
  /** Load of the logits server, if there is one. */
  logits?():
    | { readonly sessions: number; readonly cachedTokens: number; readonly requests: number }
    | undefined
}

export function createEndpointMetrics(version: string, gauges: EndpointGauges): EndpointMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const { counter, gauge, seconds } = instrumentsIn(registry)
  registerGauges(registry, version, gauges)
  const requests = counter('loam_serve_requests_total', 'Generation requests', ['outcome'])
  for (const outcome of OUTCOMES) requests.inc({ outcome }, 0)
  const tokens = counter('loam_serve_tokens_total', 'Prompt and completion tokens processed', ['kind'])
  for (const kind of ['prompt', 'completion']) tokens.inc({ kind }, 0)
  const inexact = counter(
    'loam_serve_inexact_tokens_total',
    "Tokens that the remote's answers left uncertain"
  )
  const trips = counter('loam_serve_trips_total', 'Trips to the remote')
  const drafts = counter('loam_serve_drafts_total', 'Drafts that the remote judged', ['outcome'])
  for (const outcome of ['accepted', 'rejected']) drafts.inc({ outcome }, 0)
  new Counter({
    name: 'loam_serve_line_bytes_total',
    help: 'Bytes exchanged with the remote since the connection was made',
    labelNames: ['direction'],
    registers: [registry],
    collect() {
      const { sent, received } = gauges.traffic() ?? { sent: 0, received: 0 }
      this.reset()
      this.inc({ direction: 'sent' }, sent)
      this.inc({ direction: 'received' }, received)
    }
  })
  const round = gauge('loam_serve_sealed_round', 'Last sealed round in the proxy; 0 before the first')
  const first = seconds('loam_serve_first_token_seconds', 'Time from a request to its first token')
  const whole = seconds('loam_serve_request_seconds', 'Time from a request to the end of its answer')
  const totals = { requests: 0, tokens: 0, inexact: 0 }
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    request(outcome, time) {
      requests.inc({ outcome })
      if (outcome === 'answered') totals.requests++
      whole.observe(time)
    },
    firstToken: (time) => first.observe(time),
    prompt: (count) => tokens.inc({ kind: 'prompt' }, count),
    made(count, uncertain) {
      tokens.inc({ kind: 'completion' }, count)
      inexact.inc(uncertain)
      totals.tokens += count
      totals.inexact += uncertain
    },
    line(statistics) {
      trips.inc(statistics.trips)
      drafts.inc({ outcome: 'accepted' }, statistics.accepted)
      drafts.inc({ outcome: 'rejected' }, Math.max(0, statistics.judged - statistics.accepted))
    },
    sealedRound: (sealed) => round.set(sealed),
    totals: () => ({ ...totals })
  }
}

function instrumentsIn(registry: Registry) {
  const registers = [registry]
  return {
    counter: (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name, help, labelNames, registers }),
    seconds: (name: string, help: string) =>
      new Histogram({ name, help, buckets: SECONDS_BUCKETS, registers }),
    gauge: (name: string, help: string, read?: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        ...(read && {
          collect() {
            this.set(read())
          }
        })
      })
  }
}

/** Registers the gauges that are collected at each scrape. */
function registerGauges(registry: Registry, version: string, gauges: EndpointGauges): void {
  const { gauge } = instrumentsIn(registry)
  new Gauge({
    name: 'loam_build_info',
    help: 'Version of loam and Node; always 1',
    labelNames: ['version', 'node'],
    registers: [registry]
  }).set({ version, node: process.version }, 1)
  gauge('loam_serve_ready', '1 when the server can generate texts', () => Number(gauges.isReady()))
  gauge('loam_serve_active_requests', 'Requests in generation', gauges.active)
  gauge('loam_serve_waiting_requests', 'Requests waiting for a slot', gauges.waiting)
  gauge(
    'loam_serve_logits_sessions',
    'Open sessions of the logits server',
    () => gauges.logits?.()?.sessions ?? 0
  )
  gauge(
    'loam_serve_logits_cached_tokens',
    "Tokens in the caches of the logits server's sessions",
    () => gauges.logits?.()?.cachedTokens ?? 0
  )
}
