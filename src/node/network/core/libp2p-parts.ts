import './promise-polyfill.ts'
import './web-socket-polyfill.ts'
import { autoNAT } from '@libp2p/autonat'
import {
  type CircuitRelayTransportComponents,
  circuitRelayServer,
  circuitRelayTransport
} from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { identify, identifyPush } from '@libp2p/identify'
import type { PeerId, PrivateKey, Transport } from '@libp2p/interface'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { circuitRelayAddressesLast } from '@libp2p/utils'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'
import type { ReachOptions } from '../../config/reach.ts'
import { guardMuxer, guardStreams, MUXER_STREAMS_MAX, PENDING_MAX, type PeerLimits } from '../limits/index.ts'
import { loadUpnp } from './load-upnp.ts'
import { DHT_DATASTORE_PREFIX, RecordlessDatastore } from './recordless-datastore.ts'

/** Options of every libp2p node in Loam, a peer's or a relay's. */
export interface PartsOptions {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly reach: ReachOptions
  /** Guards every protocol that is registered. */
  readonly limits: PeerLimits
  /** Name of the hash table's protocol, specific to one consortium so that no other node answers. */
  readonly dhtProtocol: string
  /** Limits of a relay; for nodes with `relayServer`. */
  readonly relayLimits?: RelayLimits
}

/** Limits of a relay. */
export interface RelayLimits {
  /** Maximum number of reservations. */
  readonly reservations: number
  /** Bytes per relayed connection, both directions together; undefined for no limit. */
  readonly bytesPerConnection?: number | undefined
  /** Lifetime of a relayed connection, milliseconds; undefined for no limit. */
  readonly millisecondsPerConnection?: number | undefined
}

/**
 * Only members are relayed, so a connection may last and carry whatever a round needs; libp2p's 128 KiB would cut it
 * off.
 */
export const RELAY_LIMITS: RelayLimits = { reservations: 256 }

/** Below yamux's read buffer of 4 MiB: a stream that is paused must not overflow it. */
const STREAM_WINDOW_BYTES_MAX = 2 * 1024 * 1024
/** At least the 256 members that a consortium may have, and relays. */
const CONNECTIONS_MAX = 400
/** All peers on one machine, or behind one NAT, dial from the same address. */
const INBOUND_CONNECTIONS_PER_SECOND = 256
/** Connecting to a whole consortium at once on a busy machine must not make every handshake time out. */
const HANDSHAKE_TIMEOUT_MS = 12_000
const PARALLEL_DIALS_MAX = 8
/** For all addresses of a peer together; libp2p tries them one after the other. */
export const DIAL_TIMEOUT_MS = 30_000
/** A machine that trains on all cores answers pings late, and must not be disconnected for it. */
const PING_TIMEOUT_MS = 20_000
/** Relayed connections of one peer, each a stream of its connection to the relay. */
const RELAYED_MAX = 300
/** Timeout of a reservation request to a relay; the reservation itself outlives it and is renewed. */
const RESERVATION_TTL_MS = 2 * 60 * 60 * 1000
/** Number of relays reserved at the same time: the second takes over when the first is gone. */
export const RESERVATIONS_WANTED_MAX = 3

/** Internals of libp2p that its public interface omits. */
export interface Internals {
  readonly addressManager: AddressManager
  readonly relayTransport: RelayTransport | undefined
}

/** The part of libp2p's address manager that is used. */
interface AddressManager {
  confirmObservedAddr(address: Multiaddr, options?: { type: 'transport' }): void
  getAddressesWithMetadata(): { multiaddr: Multiaddr; verified: boolean; type: string }[]
}

/** The part of the circuit relay transport that is used. */
export interface RelayTransport extends Transport {
  readonly reservationStore: {
    hasReservation(relay: PeerId): boolean
    addRelay(relay: PeerId, type: 'discovered'): Promise<unknown>
  }
}

const CONNECTION_MANAGER: NonNullable<Libp2pOptions['connectionManager']> = {
  maxConnections: CONNECTIONS_MAX,
  inboundConnectionThreshold: INBOUND_CONNECTIONS_PER_SECOND,
  maxIncomingPendingConnections: PENDING_MAX,
  dialTimeout: DIAL_TIMEOUT_MS,
  addressDialTimeout: HANDSHAKE_TIMEOUT_MS,
  maxParallelDials: PARALLEL_DIALS_MAX,
  inboundUpgradeTimeout: HANDSHAKE_TIMEOUT_MS,
  // In the caller's order, with relayed addresses last.
  addressSorter: (a, b) => circuitRelayAddressesLast(a.multiaddr, b.multiaddr)
}

/**
 * Options for `createLibp2p`, without gossip and gater; and its internals, which exist once it is created.
 *
 * @throws {PeerError} when UPnP is enabled and its package is not installed
 */
export async function libp2pParts(options: PartsOptions): Promise<{
  readonly parts: Pick<
    Libp2pOptions,
    | 'start'
    | 'privateKey'
    | 'datastore'
    | 'addresses'
    | 'transports'
    | 'connectionEncrypters'
    | 'streamMuxers'
    | 'peerDiscovery'
    | 'connectionManager'
    | 'connectionMonitor'
    | 'nodeInfo'
  >
  readonly services: Awaited<ReturnType<typeof servicesOf>>['services']
  readonly internals: () => Internals
}> {
  const { reach } = options
  let relayTransport: RelayTransport | undefined
  const relaying = (components: CircuitRelayTransportComponents) => {
    relayTransport = circuitRelayTransport({ maxInboundStopStreams: RELAYED_MAX })(
      withoutRandomWalk(components)
    ) as RelayTransport
    return relayTransport
  }
  const { services, addressManager } = await servicesOf(options)
  return {
    parts: {
      start: false,
      privateKey: options.privateKey,
      datastore: new RecordlessDatastore(),
      addresses: {
        listen: [...options.listen, ...reservationListeners(reach)],
        appendAnnounce: [...reach.announce]
      },
      transports: [
        tcp(),
        ...(reach.webSocket ? [webSockets()] : []),
        // Relayed addresses cannot be dialled without it either.
        ...(reach.relayClient || reach.relays.length > 0 ? [relaying] : [])
      ],
      connectionEncrypters: [noise()],
      streamMuxers: [
        guardMuxer(
          yamux({
            maxInboundStreams: MUXER_STREAMS_MAX,
            streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX }
          })
        )
      ],
      peerDiscovery: reach.mdns ? [mdns()] : [],
      connectionManager: CONNECTION_MANAGER,
      connectionMonitor: {
        pingTimeout: { minTimeout: PING_TIMEOUT_MS, maxTimeout: 60_000 }
      }
    },
    services,
    internals: () => ({ addressManager: addressManager(), relayTransport })
  }
}

/** One listener per wanted relay: it does nothing until a slot is reserved, so a relay may start later. */
function reservationListeners({ relayClient, relays }: ReachOptions): string[] {
  if (!relayClient) return []
  return Array(Math.min(RESERVATIONS_WANTED_MAX, Math.max(1, relays.length))).fill('/p2p-circuit')
}

async function servicesOf({ reach, limits, dhtProtocol, relayLimits = RELAY_LIMITS }: PartsOptions) {
  let manager: AddressManager | undefined
  const services = {
    // First: it guards what is registered after it.
    limits: guardStreams(limits),
    identify: identify(),
    // A relay slot is reserved after the first identify: without pushing the change nobody would hear of it.
    identifyPush: identifyPush(),
    ping: ping(),
    internals: (components: { addressManager: AddressManager }) => {
      manager = components.addressManager
      return {}
    },
    ...(reach.autoNat ? { autoNat: autoNAT() } : {}),
    ...(reach.holePunching && reach.relayClient ? { holePunching: dcutr() } : {}),
    ...(reach.upnp ? { upnp: (await loadUpnp())() } : {}),
    ...(reach.relayServer ? { relay: relayServer(relayLimits) } : {}),
    ...(reach.dht
      ? {
          dht: kadDHT({
            protocol: dhtProtocol,
            clientMode: false,
            datastorePrefix: DHT_DATASTORE_PREFIX,
            // Members on a private network are members too.
            peerInfoMapper: passthroughMapper
          })
        }
      : {})
  }
  return { services, addressManager: () => manager! }
}

function relayServer({ reservations, bytesPerConnection, millisecondsPerConnection }: RelayLimits) {
  const isLimited = bytesPerConnection !== undefined || millisecondsPerConnection !== undefined
  return circuitRelayServer({
    maxInboundHopStreams: RELAYED_MAX,
    maxOutboundStopStreams: RELAYED_MAX,
    reservations: {
      maxReservations: reservations,
      reservationTtl: RESERVATION_TTL_MS,
      applyDefaultLimit: isLimited,
      ...(bytesPerConnection === undefined ? {} : { defaultDataLimit: BigInt(bytesPerConnection) }),
      ...(millisecondsPerConnection === undefined ? {} : { defaultDurationLimit: millisecondsPerConnection })
    }
  })
}

/**
 * Relays are configured or members, so there is no random walk for more. In a hash table of few members libp2p's walk
 * would never pause.
 */
function withoutRandomWalk(components: CircuitRelayTransportComponents): CircuitRelayTransportComponents {
  const nowhere = { async *walk() {} }
  return Object.create(components, { randomWalk: { value: nowhere } }) as CircuitRelayTransportComponents
}
