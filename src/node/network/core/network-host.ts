import type { Libp2p, PeerId } from '@libp2p/interface'
import type { PeerLimits } from '../limits/index.ts'
import type { TrafficMeter } from './traffic-meter.ts'

/** Verdict on a gossiped message: deliver and forward; drop; drop and penalise the sender. */
export type GossipVerdict = 'accept' | 'ignore' | 'reject'

/** A node of the network: a peer, or a relay that only carries connections. */
export interface NetworkNode {
  readonly peerId: PeerId
  /** For further protocols (`handle`, `dialProtocol`) and connection events. */
  readonly libp2p: Libp2p
  readonly traffic: TrafficMeter
  /** Bans, and where to report misbehaviour. */
  readonly limits: PeerLimits
  /** Whether a peer takes part in the consortium's protocols; relays do not. */
  isMember(peerId: PeerId): boolean
  /** Listens, and dials the known peers. */
  start(): Promise<void>
  /** Closes all connections; takes at most `STOP_TIMEOUT_MS`. */
  stop(): Promise<void>
  /** Connected members. */
  peers(): PeerId[]
  /** Addresses that this node announces, with its PeerId. */
  multiaddrs(): string[]
  /** Adds addresses (with PeerIds) of peers to stay connected to; peers that are not allowed are skipped. */
  addAddresses(multiaddrs: readonly string[]): void
  /** Known addresses of all peers, with their PeerIds, for bootstrapping after a restart. */
  knownAddresses(): string[]
}

/** What is known about this peer's reachability. */
export interface ReachState {
  /** Every candidate address of this peer, and whether it is announced. */
  readonly own: readonly { readonly address: string; readonly announced: boolean; readonly kind: string }[]
  /** This peer's address as observed by others, by PeerId. */
  readonly observed: ReadonlyMap<string, string>
  /** Relays through which this peer can be reached. */
  readonly reservations: readonly string[]
}

/** A peer's host. */
export interface NetworkHost extends NetworkNode {
  /**
   * Gossips a message. Returns 0 if there is no recipient: it may be published again later, which has no effect once it
   * was received.
   *
   * @returns to how many peers it was sent directly
   * @throws {NetworkError} when it exceeds `GOSSIP_BYTES_MAX`
   */
  publish(bytes: Uint8Array): Promise<number>
  /** Connected relays. */
  relays(): PeerId[]
  /** Members of the gossip mesh. */
  meshPeers(): string[]
  /** Gossipsub's score of a peer: 0 if nothing is known, negative after invalid messages. */
  gossipScore(peerId: string): number
  reach(): ReachState
}
