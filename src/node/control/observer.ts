import type { PeerReport, ProgressReport, SealedReport } from '../home/peer-report.ts'

/** Rounds of this run whose times are kept. */
const ROUNDS_MAX = 1_000

/** Remembers a peer's reports, and passes them on to listeners. */
export class Observer {
  readonly #sealed = new Map<number, SealedReport>()
  readonly #listeners = new Set<(report: PeerReport) => void>()
  #progress: ProgressReport | undefined

  note(report: PeerReport): void {
    if (report.type === 'progress') this.#progress = report
    if (report.type === 'sealed') {
      this.#sealed.set(report.round, report)
      const [oldest] = this.#sealed.keys()
      if (this.#sealed.size > ROUNDS_MAX) this.#sealed.delete(oldest!)
    }
    for (const listener of this.#listeners) listener(report)
  }

  /** The peer's last progress report. */
  get progress(): ProgressReport | undefined {
    return this.#progress
  }

  /** A round that was sealed in this run, with its times. */
  sealed(round: number): SealedReport | undefined {
    return this.#sealed.get(round)
  }

  /** Calls a listener with every further report. @returns a function that stops it */
  listen(listener: (report: PeerReport) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
