import type { LogitsTransport } from '../../prada/remotes/index.ts'
import type { SignedCharter } from '../../protocol/index.ts'
import type { ControlConfig, MetricsConfig, PeerConfig } from '../config/index.ts'
import type { Heads } from '../driver/heads.ts'
import type { RoundDriver } from '../driver/round-driver.ts'
import type { Home } from '../home/home.ts'
import type { RoundStore } from '../home/round-store.ts'
import type { RecentLines } from '../log/recent-lines.ts'
import type { PeerMetrics } from '../metrics/index.ts'
import type { Handshakes, NetworkHost } from '../network/index.ts'
import type { Log } from '../storage/index.ts'
import type { Observer } from './observer.ts'

/** What the control API shows of a running peer. */
export interface ControlComponents {
  readonly home: Home
  readonly charter: SignedCharter
  readonly host: Pick<
    NetworkHost,
    | 'peerId'
    | 'libp2p'
    | 'peers'
    | 'relays'
    | 'multiaddrs'
    | 'traffic'
    | 'meshPeers'
    | 'gossipScore'
    | 'reach'
  >
  readonly handshakes: Pick<
    Handshakes,
    'handshakes' | 'verdicts' | 'incompatiblePeers' | 'copies' | 'lookNow'
  >
  readonly rounds: Pick<RoundStore, 'head' | 'summaries'>
  readonly driver: Pick<RoundDriver, 'state'>
  readonly heads: Heads
  readonly observer: Observer
  readonly metrics: PeerMetrics
  /** The logits server of a member. */
  readonly memberLogits: (peerId: string) => LogitsTransport
  /** Lines of the daemon's log. */
  readonly recent: RecentLines
  readonly log: Log
  readonly version: string
  readonly config: Pick<PeerConfig, 'network'> & {
    readonly control: ControlConfig
    readonly metrics: MetricsConfig
  }
  /** Last round in which the settings let this peer train. */
  readonly lastRound: number | undefined
  /** The trainer's process, where it runs. */
  readonly trainerPid: () => number | undefined
}
