import { packageVersion } from '../../package-root.ts'
import type { BaseProgress } from '../base/base-progress.ts'
import type { PeerConfig } from '../config/index.ts'
import { Observer } from '../control/index.ts'
import type { Home } from '../home/home.ts'
import type { PeerReport } from '../home/peer-report.ts'
import type { Logs } from '../log/logs.ts'
import { createMetrics, type PeerMetrics } from '../metrics/index.ts'
import type { Member } from './member.ts'

/** Options of a peer. */
export interface PeerOptions {
  readonly home: Home
  readonly config: PeerConfig
  readonly logs: Logs
  readonly report: (report: PeerReport) => void
  /** Set if no base model was configured: the charter's is fetched from members if needed. */
  readonly fetchBase?:
    | { readonly progress: (progress: BaseProgress) => void; readonly signal: AbortSignal }
    | undefined
  /** Whether process-wide settings may be changed; true for a program, never for a library. */
  readonly ownsProcess?: boolean
}

/** Stops one part of a peer. */
export type Ending = () => Promise<unknown>

/** Receivers of a peer's reports. */
export interface Telling {
  readonly observer: Observer
  readonly metrics: PeerMetrics
  readonly report: (report: PeerReport) => void
}

/** What the parts of a starting peer share. */
export interface Running {
  readonly options: PeerOptions
  /** The options' settings, with the base model's folder. */
  readonly config: PeerConfig
  readonly member: Member
  readonly telling: Telling
  readonly started: Ending[]
}

/** Feeds reports and log lines to the metrics and the control API. */
export function startTelling({ logs, report: tell }: PeerOptions, started: Ending[]): Telling {
  const observer = new Observer()
  const metrics = createMetrics(packageVersion())
  const stopCounting = logs.recent.listen((line) => metrics.noteLogLine(line))
  started.push(async () => stopCounting())
  const report = (said: PeerReport) => {
    metrics.note(said)
    observer.note(said)
    tell(said)
  }
  return { observer, metrics, report }
}
