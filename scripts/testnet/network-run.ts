import type { PeerReport, ProgressReport, SealedReport } from '../../src/node/home/peer-report.ts'
import { quorumSize } from '../../src/protocol/index.ts'
import { type PeerProcess, startPeerProcess } from './peer-process.ts'
import type { PreparedPeer, PreparedTestnet } from './prepare-homes.ts'

/** What is known about a peer while the network runs. */
export interface PeerView {
  readonly peer: PreparedPeer
  progress: ProgressReport | undefined
  readonly sealed: SealedReport[]
  addresses: readonly string[]
  /** How its process ended, if it ended unexpectedly: an exit code or a signal. */
  ended: string | undefined
}

/**
 * A whole network on this machine, one process per peer; the peers find each other through the first one's address
 * alone.
 */
export class NetworkRun {
  readonly views: readonly PeerView[]
  readonly #processes = new Map<number, PeerProcess>()
  readonly #onChange: (view: PeerView, report: PeerReport) => void
  readonly #onLoss: (line: string) => void
  readonly #waiting = new Set<() => void>()
  #failure: Error | undefined
  #stopping = false

  /**
   * @param onChange called with each peer's reports
   * @param onLoss called with a line when a peer ends unexpectedly
   */
  constructor(
    { peers }: PreparedTestnet,
    onChange: (view: PeerView, report: PeerReport) => void = () => {},
    onLoss: (line: string) => void = () => {}
  ) {
    this.#onChange = onChange
    this.#onLoss = onLoss
    this.views = peers.map((peer) => ({
      peer,
      progress: undefined,
      sealed: [],
      addresses: [],
      ended: undefined
    }))
  }

  /** Starts every peer; all but the first are given one address and find the others by themselves. */
  async start(): Promise<void> {
    this.startPeer(0, [])
    await this.until(() => this.views[0]!.addresses.length > 0)
    for (let index = 1; index < this.views.length; index++) this.startPeer(index, this.views[0]!.addresses)
  }

  /** Starts one peer, or starts it again. */
  startPeer(index: number, bootstrap: readonly string[]): void {
    const view = this.views[index]!
    const peerProcess = startPeerProcess(view.peer, bootstrap, (report) => this.#take(view, report))
    this.#processes.set(index, peerProcess)
    view.ended = undefined
    void peerProcess.exited.then((status) => {
      if (!this.#stopping && this.#processes.get(index) === peerProcess) this.#lose(view, peerProcess, status)
    })
  }

  /** Ends one peer without warning; the network goes on without it. */
  async killPeer(index: number): Promise<void> {
    const peerProcess = this.#processes.get(index)
    this.#processes.delete(index)
    await peerProcess?.kill()
  }

  /**
   * Resolves when the views satisfy a condition.
   *
   * @throws when a peer halts, too few peers are left, or the signal aborts
   */
  until(holds: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        this.#waiting.delete(check)
        signal?.removeEventListener('abort', check)
        act()
      }
      const check = () => {
        if (signal?.aborted === true) finish(() => reject(signal.reason))
        else if (this.#failure !== undefined) finish(() => reject(this.#failure))
        else if (holds()) finish(resolve)
      }
      this.#waiting.add(check)
      signal?.addEventListener('abort', check)
      check()
    })
  }

  /** Resolves when every peer sealed `round`. */
  untilSealed(round: number, signal?: AbortSignal): Promise<void> {
    return this.until(
      () => this.views.every(({ sealed }) => sealed.some((report) => report.round >= round)),
      signal
    )
  }

  /** Stops every peer. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all([...this.#processes.values()].map((peerProcess) => peerProcess.stop()))
  }

  #take(view: PeerView, report: PeerReport): void {
    if (report.type === 'progress') view.progress = report
    if (report.type === 'sealed' && !view.sealed.some(({ round }) => round === report.round))
      view.sealed.push(report)
    if (report.type === 'listening') view.addresses = report.addresses
    if (report.type === 'halted') this.#fail(new Error(`peer ${view.peer.index} halted: ${report.reason}`))
    this.#onChange(view, report)
    this.#wake()
  }

  /** Handles the end of a peer: the others go on as long as they form a quorum. */
  #lose(view: PeerView, peerProcess: PeerProcess, status: number | string): void {
    view.ended = String(status)
    const { index, home } = view.peer
    const last = peerProcess.standardError().trim().split('\n').at(-1) ?? ''
    const living = this.views.filter(({ ended }) => ended === undefined).length
    this.#onLoss(`peer ${index} ended (${status}) ${last}`.trimEnd())
    if (living < quorumSize(this.views.length))
      this.#fail(new Error(`peer ${index} ended (${status}): too few are left to go on; see ${home.log}`))
    this.#wake()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  #wake(): void {
    for (const check of [...this.#waiting]) check()
  }
}
