import '../core/promise-polyfill.ts'
import type { GossipSub } from '@libp2p/gossipsub'
import type { MetricsRegister } from '@libp2p/gossipsub/metrics'
import type { Identify } from '@libp2p/identify'
import type { ComponentLogger, Libp2p, Metrics, PeerId, PrivateKey, ServiceMap } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { Ping } from '@libp2p/ping'
import { createLibp2p } from 'libp2p'
import { REACH_DEFAULTS, type ReachOptions } from '../../config/reach.ts'
import type { Log } from '../../log/log.ts'
import { type Internals, libp2pParts } from '../core/libp2p-parts.ts'
import type { NetworkHost, ReachState } from '../core/network-host.ts'
import { TrafficMeter } from '../core/traffic-meter.ts'
import {
  GOSSIP_BYTES_MAX,
  GOSSIP_PROTOCOL,
  type GossipHandlers,
  gossipService,
  meshPeersOf,
  publish,
  reopenStream,
  scoreOf,
  subscribe
} from '../gossip/gossip.ts'
import { connectionGater } from '../limits/connection-gate.ts'
import { type BanTimes, hangUpOn, PeerLimits } from '../limits/index.ts'
import { refusalLog } from '../limits/refusal-log.ts'
import { KeepConnected } from '../peers/keep-connected.ts'
import { ObservedAddresses } from '../peers/observed-addresses.ts'
import { readPeerAddress } from '../peers/peer-address.ts'
import { RelayReservations } from '../peers/relay-reservations.ts'
import { withDeadline } from '../requests/deadline.ts'
import { NetworkError } from '../requests/network-error.ts'
import { announcePublicListeners } from './announce-listeners.ts'

/** Options of a consortium's host. */
export interface HostOptions extends GossipHandlers {
  /** Ed25519: the peer's identity. */
  readonly privateKey: PrivateKey
  /** Addresses to listen on: `/ip4/0.0.0.0/tcp/4001`; port 0 takes a free one. */
  readonly listen: readonly string[]
  /** Bootstrap addresses of members, each ending in `/p2p/<PeerId>`. */
  readonly bootstrap: readonly string[]
  /** Transports and discovery; defaults to `REACH_DEFAULTS`. */
  readonly reach?: Partial<ReachOptions>
  /** The consortium's one gossip topic. */
  readonly topic: string
  /** Whether a peer is a member; evaluated for each connection. */
  readonly isAllowed: (peerId: PeerId) => boolean
  /** How long misbehaving peers are banned. */
  readonly banTimes?: BanTimes
  readonly log: Log
  /** Metrics of libp2p and gossipsub, if anybody reads them. */
  readonly metrics?: HostMetrics | undefined
}

/** Metrics objects of other packages, in their own types. */
export interface HostMetrics {
  readonly libp2p: (components: { readonly logger: ComponentLogger }) => Metrics
  readonly gossip: MetricsRegister
}

interface Services extends ServiceMap {
  ping: Ping
  identify: Identify
  pubsub: GossipSub
}

/** Timeout of {@link NetworkHost.stop}. */
export const STOP_TIMEOUT_MS = 5000

/**
 * Both sides may dial at once, and a dead connection takes a while to be detected; more would crowd out other peers.
 */
export const CONNECTIONS_PER_PEER_MAX = 8

/**
 * Creates a peer's network host: transports, Noise, Yamux, identify, gossip, admission, relays, and dialling until
 * connected.
 *
 * @throws {NetworkError} `protocol` when the address of a relay cannot be read
 */
export async function createHost(options: HostOptions): Promise<NetworkHost> {
  const { bootstrap, topic, isAllowed: isMember, log } = options
  const reach: ReachOptions = { ...REACH_DEFAULTS, ...options.reach }
  const relayIds = new Set(reach.relays.map(relayIdOf))
  const isRelay = (peerId: PeerId) => relayIds.has(peerId.toString())
  const limits = new PeerLimits({
    hangUp: (peerId, reason) => hangUpOn(libp2p, peerId, reason),
    log,
    banTimes: options.banTimes
  })
  const { libp2p, internals } = await createNode(options, reach, limits, isRelay)
  const { pubsub } = libp2p.services
  const { relayTransport, addressManager } = internals()
  const traffic = new TrafficMeter()
  const observed = new ObservedAddresses(libp2p)
  const reservations =
    relayTransport === undefined || !reach.relayClient
      ? undefined
      : new RelayReservations(libp2p, relayTransport, log)
  const keepConnected = new KeepConnected(libp2p, {
    isAllowed: (peerId) => !limits.isShutOut(peerId) && (isMember(peerId) || isRelay(peerId)),
    isMember,
    requiredProtocol: GOSSIP_PROTOCOL,
    reopen: (connection) => reopenStream(pubsub, connection),
    log
  })
  for (const address of [...bootstrap, ...reach.relays]) keepConnected.addAddress(address, true)

  return {
    peerId: libp2p.peerId,
    libp2p,
    traffic,
    limits,
    isMember,
    async start() {
      announcePublicListeners(libp2p, addressManager)
      observed.start()
      await libp2p.start()
      subscribe(pubsub, topic, options, traffic, limits, isMember, log)
      keepConnected.start()
      reservations?.start()
      log.info(
        { peerId: libp2p.peerId.toString(), listening: libp2p.getMultiaddrs().map(String) },
        'listening'
      )
    },
    async stop() {
      reservations?.stop()
      keepConnected.stop()
      observed.stop()
      try {
        await withDeadline('stopping the network', STOP_TIMEOUT_MS, undefined, async () => libp2p.stop())
      } catch (error) {
        log.warn({ error: String(error) }, 'the network did not stop cleanly')
      }
    },
    publish: async (bytes) => publish(pubsub, topic, checkLength(bytes), traffic),
    peers: () => libp2p.getPeers().filter(isMember),
    relays: () => libp2p.getPeers().filter(isRelay),
    meshPeers: () => meshPeersOf(pubsub, topic),
    gossipScore: (peerId) => scoreOf(pubsub, peerId),
    multiaddrs: () => libp2p.getMultiaddrs().map(String),
    addAddresses(multiaddrs) {
      for (const address of multiaddrs) keepConnected.addAddress(address)
    },
    knownAddresses: () => keepConnected.addresses(),
    reach: () => reachOf(addressManager, observed, reservations)
  }
}

function checkLength(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= GOSSIP_BYTES_MAX) return bytes
  throw new NetworkError(
    'protocol',
    `a message of ${bytes.length} bytes is too long to gossip (${GOSSIP_BYTES_MAX})`
  )
}

function reachOf(
  addressManager: Internals['addressManager'],
  observed: ObservedAddresses,
  reservations: RelayReservations | undefined
): ReachState {
  return {
    own: addressManager.getAddressesWithMetadata().map(({ multiaddr, verified, type }) => ({
      address: multiaddr.toString(),
      announced: verified,
      kind: type
    })),
    observed: observed.byPeer(),
    reservations: reservations?.relays() ?? []
  }
}

/** The libp2p node of a host, with its connection gater and services. */
async function createNode(
  { privateKey, listen, topic, isAllowed: isMember, metrics, log }: HostOptions,
  reach: ReachOptions,
  limits: PeerLimits,
  isRelay: (peerId: PeerId) => boolean
): Promise<{ libp2p: Libp2p<Services>; internals: () => Internals }> {
  const { parts, services, internals } = await libp2pParts({
    privateKey,
    listen,
    reach,
    limits,
    dhtProtocol: `${topic}/kad`
  })
  const libp2p: Libp2p<Services> = await createLibp2p<Services>({
    ...parts,
    connectionGater: connectionGater({
      isMember,
      isRelay,
      limits,
      self: peerIdFromPrivateKey(privateKey),
      crowds: (peerId) => libp2p.getConnections(peerId).length >= CONNECTIONS_PER_PEER_MAX,
      onRefused: refusalLog(log)
    }),
    services: { ...services, pubsub: gossipService(topic, isMember, metrics?.gossip) },
    ...(metrics === undefined ? {} : { metrics: metrics.libp2p })
  })
  return { libp2p, internals }
}

function relayIdOf(address: string): string {
  try {
    return readPeerAddress(address).peerId.toString()
  } catch (error) {
    throw new NetworkError(
      'protocol',
      `${address} is not the address of a relay: ${(error as Error).message}`
    )
  }
}
