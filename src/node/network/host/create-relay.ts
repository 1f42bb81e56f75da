import '../core/promise-polyfill.ts'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Identify } from '@libp2p/identify'
import type { Libp2p, PeerId, PrivateKey, ServiceMap } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { Ping } from '@libp2p/ping'
import { createLibp2p } from 'libp2p'
import { REACH_DEFAULTS } from '../../config/reach.ts'
import type { Log } from '../../log/log.ts'
import { libp2pParts, type RelayLimits } from '../core/libp2p-parts.ts'
import type { NetworkNode } from '../core/network-host.ts'
import { TrafficMeter } from '../core/traffic-meter.ts'
import { connectionGater } from '../limits/connection-gate.ts'
import { hangUpOn, PeerLimits } from '../limits/index.ts'
import { refusalLog } from '../limits/refusal-log.ts'
import { MetAddresses } from '../peers/met-addresses.ts'
import { withDeadline } from '../requests/deadline.ts'
import { announcePublicListeners } from './announce-listeners.ts'
import { CONNECTIONS_PER_PEER_MAX, STOP_TIMEOUT_MS } from './create-host.ts'

/** Options of a relay. */
export interface RelayOptions {
  /** Ed25519: an identity of its own, not a member's. */
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  /** Outside addresses to announce, beside those listened on. */
  readonly announce: readonly string[]
  readonly upnp: boolean
  readonly limits: RelayLimits
  /** Peers that may connect and be relayed to. */
  readonly isAllowed: (peerId: PeerId) => boolean
  readonly log: Log
}

/** Current state of a relay. */
export interface RelayLoad {
  /** Connected members. */
  readonly connected: number
  /** Members with a reservation. */
  readonly reserved: number
  /** Relayed connections between members. */
  readonly carried: number
}

/** A relay: it carries end-to-end encrypted connections between members and takes no part in rounds. */
export interface RelayNode extends NetworkNode {
  load(): RelayLoad
}

interface Services extends ServiceMap {
  identify: Identify
  ping: Ping
  relay: CircuitRelayService
}

const RELAY_STOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/stop'

/** Creates a relay; it dials nobody. */
export async function createRelay(options: RelayOptions): Promise<RelayNode> {
  const { privateKey, listen, announce, upnp, limits: relayLimits, isAllowed, log } = options
  const limits = new PeerLimits({ hangUp: (peerId, reason) => hangUpOn(libp2p, peerId, reason), log })
  const { parts, services, internals } = await libp2pParts({
    privateKey,
    listen,
    limits,
    reach: {
      ...REACH_DEFAULTS,
      announce,
      upnp,
      mdns: false,
      relayClient: false,
      holePunching: false,
      relayServer: true
    },
    dhtProtocol: '',
    relayLimits
  })
  const libp2p: Libp2p<Services> = await createLibp2p<Services>({
    ...parts,
    connectionGater: connectionGater({
      isMember: isAllowed,
      isRelay: () => false,
      limits,
      self: peerIdFromPrivateKey(privateKey),
      crowds: (peerId) => libp2p.getConnections(peerId).length >= CONNECTIONS_PER_PEER_MAX,
      onRefused: refusalLog(log)
    }),
    services: services as typeof services & { relay: () => CircuitRelayService }
  })
  const met = new MetAddresses(libp2p)
  return {
    peerId: libp2p.peerId,
    libp2p,
    traffic: new TrafficMeter(),
    isMember: isAllowed,
    limits,
    async start() {
      announcePublicListeners(libp2p, internals().addressManager)
      met.start()
      await libp2p.start()
    },
    async stop() {
      met.stop()
      try {
        await withDeadline('stopping the relay', STOP_TIMEOUT_MS, undefined, async () => libp2p.stop())
      } catch (error) {
        log.warn({ error: String(error) }, 'the relay did not stop cleanly')
      }
    },
    peers: () => libp2p.getPeers(),
    multiaddrs: () => libp2p.getMultiaddrs().map(String),
    addAddresses: () => undefined,
    knownAddresses: () => met.all(),
    load: () => ({
      connected: libp2p.getPeers().length,
      reserved: libp2p.services.relay.reservations.size,
      carried: libp2p
        .getConnections()
        .flatMap(({ streams }) => streams)
        .filter(({ protocol, direction }) => protocol === RELAY_STOP_PROTOCOL && direction === 'outbound')
        .length
    })
  }
}
