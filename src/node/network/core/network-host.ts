import type { Libp2p, PeerId } from '@libp2p/interface'
import type { PeerLimits } from '../limits/index.ts'
import type { TrafficMeter } from './traffic-meter.ts'

/** What to do with a gossiped message: deliver and forward; drop; drop and hold it against who sent it. */
export type GossipVerdict = 'accept' | 'ignore' | 'reject'

/** A node of the network: a peer, or a relay that only carries. */
export interface NetworkNode {
  readonly peerId: PeerId
  /** For protocols of one's own (`handle`, `dialProtocol`) and connection events. */
  readonly libp2p: Libp2p
  readonly traffic: TrafficMeter
  /** Who is shut out, and where to report who misbehaves. */
  readonly limits: PeerLimits
  /** Whether a peer takes part in the consortium's protocols: relays do not. */
  isMember(peerId: PeerId): boolean
  /** Listens, and dials the known peers. */
  start(): Promise<void>
  /** Hangs up and closes all; within `STOP_TIMEOUT_MS` whatever the others do. */
  stop(): Promise<void>
  /** Connected members. */
  peers(): PeerId[]
  /** Addresses that this node announces, with its PeerId. */
  multiaddrs(): string[]
  /** Adds addresses (with PeerIds) of peers to stay connected to; those not allowed are left out. */
  addAddresses(multiaddrs: readonly string[]): void
  /** Addresses of all peers known so far, with their PeerIds: what to bootstrap from after a restart. */
  knownAddresses(): string[]
}

/** What is known of this peer's own reach. */
export interface ReachState {
  /** Every address that this peer could have, and whether it is told to others. */
  readonly own: readonly { readonly address: string; readonly announced: boolean; readonly kind: string }[]
  /** Where other peers see this one's connections come from, by PeerId. */
  readonly observed: ReadonlyMap<string, string>
  /** Relays that pass connections on to this peer. */
  readonly reservations: readonly string[]
}

/** A peer's place in the network. */
export interface NetworkHost extends NetworkNode {
  /**
   * Gossips a message. 0 when nobody is there to hear it: it may be published again later, which is without effect
   * once it has been heard.
   *
   * @returns to how many peers it was sent directly
   * @throws {NetworkError} when it is longer than `GOSSIP_BYTES_MAX`
   */
  publish(bytes: Uint8Array): Promise<number>
  /** Connected relays. */
  relays(): PeerId[]
  /** Members of the gossip mesh. */
  meshPeers(): string[]
  /** What gossip thinks of a peer: 0 for one of whom it has seen nothing, below for one that lied. */
  gossipScore(peerId: string): number
  reach(): ReachState
}
