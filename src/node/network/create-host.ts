import './promise-polyfill.ts'
import type { GossipSub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, PeerId, PrivateKey, ServiceMap } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Log } from '../store/log.ts'
import { withDeadline } from './deadline.ts'
import {
  type BanTimes,
  Edge,
  guardMuxer,
  guardStreams,
  MUXER_STREAMS_MAX,
  PENDING_MAX,
  PendingConnections
} from './edge/index.ts'
import {
  GOSSIP_BYTES_MAX,
  GOSSIP_PROTOCOL,
  type GossipHandlers,
  gossipService,
  publish,
  subscribe
} from './gossip.ts'
import { DIAL_TIMEOUT_MS, KeepConnected } from './keep-connected.ts'
import { NetworkError } from './network-error.ts'
import type { NetworkHost } from './network-host.ts'
import { TrafficMeter } from './traffic-meter.ts'

/** How to join a consortium's network. */
export interface HostOptions extends GossipHandlers {
  /** Ed25519: the peer's identity. */
  readonly privateKey: PrivateKey
  /** Addresses to listen on: `/ip4/0.0.0.0/tcp/4001`; port 0 takes a free one. */
  readonly listen: readonly string[]
  /** Addresses of peers to begin with, each ending in `/p2p/<PeerId>`. */
  readonly bootstrap: readonly string[]
  /** Whether to look for members on the local network. */
  readonly mdns: boolean
  /** The consortium's one gossip topic. */
  readonly topic: string
  /** Whether a peer may connect: the charter's members. Asked anew for each connection. */
  readonly isAllowed: (peerId: PeerId) => boolean
  /** How long peers that misbehave are shut out. */
  readonly banTimes?: BanTimes
  readonly log: Log
}

interface Services extends ServiceMap {
  edge: object
  identify: Identify
  ping: Ping
  pubsub: GossipSub
}

/** Longest {@link NetworkHost.stop}. */
export const STOP_TIMEOUT_MS = 5000

/** Below yamux's read buffer of 4 MiB: a stream that is paused must not overflow it. */
const STREAM_WINDOW_BYTES_MAX = 2 * 1024 * 1024
/** At least the 256 members that a consortium may have, and relays. */
const CONNECTIONS_MAX = 400
/** Both sides may dial at once, and a dead connection takes a while to be noticed; more would crowd the others out. */
const CONNECTIONS_PER_PEER_MAX = 8
/** A whole network on one machine, or behind one NAT, dials from one address. */
const INBOUND_CONNECTIONS_PER_SECOND = 256
/** Connecting to a whole consortium at once on a busy machine must not let every handshake time out. */
const HANDSHAKE_TIMEOUT_MS = 12_000
const PARALLEL_DIALS_MAX = 8
/** A machine that trains on all cores answers pings late, and must not be hung up on for it. */
const PING_TIMEOUT_MS = 20_000

/** Makes a peer's network host: TCP, Noise, Yamux, identify, gossip, admission, and dialling until connected. */
export async function createHost(options: HostOptions): Promise<NetworkHost> {
  const { privateKey, listen, bootstrap, topic, log } = options
  const hangUp = (peerId: PeerId, reason: Error) => {
    for (const connection of libp2p.getConnections(peerId)) connection.abort(reason)
  }
  const edge = new Edge({ isAllowed: options.isAllowed, hangUp, log, banTimes: options.banTimes })
  const isAllowed = (peerId: PeerId) => edge.admits(peerId)
  const pending = new PendingConnections()
  const libp2p: Libp2p<Services> = await createLibp2p<Services>({
    start: false,
    privateKey,
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      guardMuxer(
        yamux({
          maxInboundStreams: MUXER_STREAMS_MAX,
          streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX }
        })
      )
    ],
    peerDiscovery: options.mdns ? [mdns()] : [],
    connectionGater: {
      denyInboundConnection: (connection) => pending.isExcess(connection),
      denyInboundUpgradedConnection: (_peerId, connection) => {
        pending.settled(connection)
        return false
      },
      denyDialPeer: (peerId) => !isAllowed(peerId),
      denyInboundEncryptedConnection: (peerId) =>
        !isAllowed(peerId) || libp2p.getConnections(peerId).length >= CONNECTIONS_PER_PEER_MAX,
      denyOutboundEncryptedConnection: (peerId) => !isAllowed(peerId)
    },
    connectionManager: {
      maxConnections: CONNECTIONS_MAX,
      inboundConnectionThreshold: INBOUND_CONNECTIONS_PER_SECOND,
      maxIncomingPendingConnections: PENDING_MAX,
      dialTimeout: DIAL_TIMEOUT_MS,
      addressDialTimeout: HANDSHAKE_TIMEOUT_MS,
      inboundUpgradeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxParallelDials: PARALLEL_DIALS_MAX
    },
    connectionMonitor: {
      pingTimeout: { minTimeout: PING_TIMEOUT_MS, maxTimeout: 60_000 }
    },
    // The edge first: it guards what is registered after it.
    services: { edge: guardStreams(edge), identify: identify(), ping: ping(), pubsub: gossipService(topic) }
  })
  const { pubsub } = libp2p.services
  const traffic = new TrafficMeter()
  const keepConnected = new KeepConnected(libp2p, { isAllowed, requiredProtocol: GOSSIP_PROTOCOL, log })
  for (const address of bootstrap) keepConnected.addAddress(address, true)

  return {
    peerId: libp2p.peerId,
    libp2p,
    traffic,
    edge,
    async start() {
      await libp2p.start()
      subscribe(pubsub, topic, options, traffic, edge, log)
      keepConnected.start()
      log.info(
        { peerId: libp2p.peerId.toString(), listening: libp2p.getMultiaddrs().map(String) },
        'listening'
      )
    },
    async stop() {
      keepConnected.stop()
      try {
        await withDeadline('stopping the network', STOP_TIMEOUT_MS, undefined, async () => libp2p.stop())
      } catch (error) {
        log.warn({ error: String(error) }, 'the network did not stop cleanly')
      }
    },
    async publish(bytes) {
      if (bytes.length > GOSSIP_BYTES_MAX) {
        throw new NetworkError(
          'protocol',
          `a message of ${bytes.length} bytes is too long to gossip (${GOSSIP_BYTES_MAX})`
        )
      }
      return publish(pubsub, topic, bytes, traffic)
    },
    peers: () => libp2p.getPeers(),
    multiaddrs: () => libp2p.getMultiaddrs().map(String),
    addAddresses(multiaddrs) {
      for (const address of multiaddrs) keepConnected.addAddress(address)
    },
    knownAddresses: () => keepConnected.addresses()
  }
}
