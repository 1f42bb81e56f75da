import { networkInterfaces } from 'node:os'
import { isPrivate } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { memberIndex, type RoundContext } from '../../protocol/index.ts'
import type { PeerConfig } from '../config/index.ts'
import type { Handshakes, NetworkHost } from '../network/index.ts'
import { isRelayed } from '../network/peers/peer-address.ts'
import { hostPortOf } from '../network/peers/tcp-probe.ts'
import { peerIdText } from '../storage/peer-id-text.ts'

/** A configured address and the outcome of dialling it. */
export interface BootstrapView {
  readonly address: string
  readonly use: 'bootstrap' | 'relay'
  /** `answers`, `refused`, `timeout` and so on; `pending` while it is being looked at. */
  readonly outcome: string
  readonly reason: string
  /** Empty if there is nothing to do. */
  readonly advice: string
  readonly roundTripMs: number | null
}

/** How a peer can be reached, and whom it reaches. */
export interface NetworkView {
  /** Whether it comes from a running daemon, or from a host started for the examination. */
  readonly source: 'daemon' | 'own-host'
  readonly peerId: string
  /** Other members of the round, how many of them are connected, and the quorum. */
  readonly members: { readonly others: number; readonly connected: number; readonly quorum: number }
  /** Its addresses; only announced ones are shared with others. */
  readonly addresses: readonly {
    readonly address: string
    readonly announced: boolean
    readonly kind: string
  }[]
  /** Why it could not listen as configured; null if it does. */
  readonly listenFault: string | null
  /** Where others see its connections come from, and whether that is an address of this machine. */
  readonly observed: readonly {
    readonly peerId: string
    readonly address: string
    readonly isOwn: boolean
  }[]
  /** Whether others could dial it when asked to (AutoNAT); `unknown` if nobody outside could be asked. */
  readonly autoNat: 'reachable' | 'unreachable' | 'unknown'
  /** Direct inbound connections. */
  readonly inbound: number
  readonly outbound: number
  /** Relayed connections. */
  readonly relayed: number
  /** Relays through which it can be reached. */
  readonly reservations: readonly string[]
  /** Members of the gossip mesh; null if it takes no part in gossip. */
  readonly mesh: readonly string[] | null
  readonly bootstrap: readonly BootstrapView[]
  /** Offsets of others' clocks from this machine's, milliseconds; half a round trip is the uncertainty. */
  readonly clocks: readonly {
    readonly peerId: string
    readonly aheadMs: number
    readonly roundTripMs: number
  }[]
  /** Connected peers of another version or consortium. */
  readonly incompatiblePeers: readonly { readonly peerId: string; readonly reason: string }[]
  /** Identities of which two copies were found running in the last ten minutes, the own one or others'. */
  readonly copies: readonly CopyView[]
}

/** An identity of which two copies ran at once. */
export interface CopyView {
  readonly peerId: string
  /** Since the last sign of it. */
  readonly secondsAgo: number
}

/** The identities of which two copies ran of late. */
export function copyViews(handshakes: Pick<Handshakes, 'copies'>): CopyView[] {
  return [...handshakes.copies()].map(([peerId, sinceMs]) => ({
    peerId,
    secondsAgo: Math.round(sinceMs / 1_000)
  }))
}

/** What a view is made from. */
export interface NetworkViewParts {
  readonly host: Pick<NetworkHost, 'peerId' | 'libp2p' | 'peers' | 'meshPeers' | 'reach'>
  readonly handshakes: Pick<Handshakes, 'handshakes' | 'verdicts' | 'incompatiblePeers' | 'copies'>
  readonly config: { readonly network: Pick<PeerConfig['network'], 'relays'> }
  readonly context: RoundContext
}

/** The network as a peer sees it at this moment. */
export function networkView(
  { host, handshakes, config, context }: NetworkViewParts,
  source: NetworkView['source'],
  listenFault: string | null = null
): NetworkView {
  const { own, observed, reservations } = host.reach()
  const direct = host.libp2p.getConnections().filter(({ remoteAddr }) => !isRelayed(remoteAddr))
  const connected = new Set(host.peers().map(String))
  const isMember = memberIndex(context, host.peerId.toMultihash().bytes) >= 0
  const relays = new Set(config.network.relays)
  return {
    source,
    peerId: host.peerId.toString(),
    members: {
      others: context.members.length - (isMember ? 1 : 0),
      connected: context.members.filter(({ peer }) => connected.has(peerIdText(peer))).length,
      quorum: context.quorum
    },
    addresses: own,
    listenFault,
    observed: [...observed].flatMap(([peerId, address]) => observation(peerId, address)),
    autoNat: autoNat(own),
    inbound: direct.filter(({ direction }) => direction === 'inbound').length,
    outbound: direct.filter(({ direction }) => direction === 'outbound').length,
    relayed: host.libp2p.getConnections().length - direct.length,
    reservations,
    mesh: source === 'daemon' ? host.meshPeers() : null,
    bootstrap: handshakes.verdicts().map(({ address, verdict }) => ({
      address,
      use: relays.has(address) ? 'relay' : 'bootstrap',
      outcome: verdict?.outcome ?? 'pending',
      reason: verdict?.reason ?? 'being checked',
      advice: verdict?.advice ?? '',
      roundTripMs: verdict?.handshake?.roundTripMs ?? null
    })),
    clocks: [...handshakes.handshakes()].map(([peerId, { clockAheadMs, roundTripMs }]) => ({
      peerId,
      aheadMs: clockAheadMs,
      roundTripMs
    })),
    incompatiblePeers: [...handshakes.incompatiblePeers()].map(([peerId, reason]) => ({ peerId, reason })),
    copies: copyViews(handshakes)
  }
}

/** Undefined for a relayed address: it says where the relay is. */
function observation(peerId: string, address: string): NetworkView['observed'] {
  const parsed = multiaddr(address)
  const place = hostPortOf(parsed)
  if (place === undefined || isRelayed(parsed)) return []
  const interfaces = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return [{ peerId, address, isOwn: interfaces.some((each) => each.address === place.host) }]
}

/**
 * A public address that is listened on is announced until AutoNAT takes it back; one that others observed, or a router
 * forwards, only once AutoNAT has confirmed it.
 */
function autoNat(own: NetworkView['addresses']): NetworkView['autoNat'] {
  const outside = own.filter(({ address }) => isOutside(address))
  if (outside.some(({ kind, announced }) => announced && kind !== 'transport' && kind !== 'announce'))
    return 'reachable'
  if (outside.some(({ kind, announced }) => !announced && kind === 'transport')) return 'unreachable'
  return 'unknown'
}

function isOutside(address: string): boolean {
  const parsed = multiaddr(address)
  return hostPortOf(parsed) !== undefined && !isRelayed(parsed) && !isPrivate(parsed)
}
