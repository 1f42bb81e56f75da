import { packageVersion } from '../../package-root.ts'
import type { BaseProgress } from '../base/base-progress.ts'
import type { PeerConfig } from '../config/index.ts'
import { Observer } from '../control/index.ts'
import type { Home } from '../home/home.ts'
import type { PeerReport } from '../home/peer-report.ts'
import type { Logs } from '../log/logs.ts'
import { createMetrics, type PeerMetrics } from '../metrics/index.ts'
import type { Member } from './member.ts'

/** What a peer is started with. */
export interface PeerOptions {
  readonly home: Home
  readonly config: PeerConfig
  readonly logs: Logs
  readonly report: (report: PeerReport) => void
  /** Set where nobody has said which base model to take: the charter's is fetched from members if need be. */
  readonly fetchBase?:
    | { readonly progress: (progress: BaseProgress) => void; readonly signal: AbortSignal }
    | undefined
  /** Whether settings of the whole process may be changed, as a program may and a library must not. */
  readonly ownsProcess?: boolean
}

/** How to end one part of a peer. */
export type Ending = () => Promise<unknown>

/** Whose reports go where, while a peer starts and runs. */
export interface Telling {
  readonly observer: Observer
  readonly metrics: PeerMetrics
  readonly report: (report: PeerReport) => void
}

/** What the parts of a peer that starts share. */
export interface Running {
  readonly options: PeerOptions
  /** The options' settings, with the base model's folder. */
  readonly config: PeerConfig
  readonly member: Member
  readonly telling: Telling
  readonly started: Ending[]
}

/** Has reports counted and kept for the control API, and lines of the log counted. */
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
