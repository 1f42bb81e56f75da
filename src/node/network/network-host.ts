import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Edge } from './edge/index.ts'
import type { TrafficMeter } from './traffic-meter.ts'

/** What to do with a gossiped message: deliver and forward; drop; drop and hold it against who sent it. */
export type GossipVerdict = 'accept' | 'ignore' | 'reject'

/** A peer's place in the network. */
export interface NetworkHost {
  readonly peerId: PeerId
  /** For protocols of one's own (`handle`, `dialProtocol`) and connection events. */
  readonly libp2p: Libp2p
  readonly traffic: TrafficMeter
  /** Who may connect, and where to report who misbehaves. */
  readonly edge: Edge
  /** Listens, subscribes to the topic and dials the known peers. */
  start(): Promise<void>
  /** Hangs up and closes all; within `STOP_TIMEOUT_MS` whatever the others do. */
  stop(): Promise<void>
  /**
   * Gossips a message. 0 when nobody is there to hear it: it may be published again later, which is without effect
   * once it has been heard.
   *
   * @returns to how many peers it was sent directly
   * @throws {NetworkError} when it is longer than `GOSSIP_BYTES_MAX`
   */
  publish(bytes: Uint8Array): Promise<number>
  /** Connected peers. */
  peers(): PeerId[]
  /** Addresses at which this peer listens, with its PeerId. */
  multiaddrs(): string[]
  /** Adds addresses (with PeerIds) of peers to stay connected to; those not allowed are left out. */
  addAddresses(multiaddrs: readonly string[]): void
  /** Addresses of all peers known so far, with their PeerIds: what to bootstrap from after a restart. */
  knownAddresses(): string[]
}
