import type { ConnectionGater, PeerId } from '@libp2p/interface'
import type { PeerLimits } from './peer-limits.ts'
import { PendingConnections } from './pending-connections.ts'

/** Which peers are admitted; evaluated for each connection. */
export interface Admission {
  /** Members take part in all protocols. */
  readonly isMember: (peerId: PeerId) => boolean
  /** Relays carry connections: they may connect and exchange addresses, but get no gossip and no blocks. */
  readonly isRelay: (peerId: PeerId) => boolean
}

/** Further checks and callbacks of the gater. */
export interface GaterOptions extends Admission {
  readonly self: PeerId
  /** Whether a peer is banned: it is refused like a stranger, without a further offence. */
  readonly limits: PeerLimits
  /** Whether a peer has reached its maximum number of connections. */
  readonly crowds: (peerId: PeerId) => boolean
  readonly onRefused: (peerId: PeerId) => void
}

/**
 * Refuses strangers: inbound, outbound, through a relay, and as clients of this peer's relay. A relay's claim about who
 * is behind it is not trusted: the end-to-end handshake proves the identity, which is then checked as well. Addresses
 * of strangers are not stored.
 */
export function connectionGater({
  isMember,
  isRelay,
  self,
  limits,
  crowds,
  onRefused
}: GaterOptions): ConnectionGater {
  const isStranger = (peerId: PeerId) => !isMember(peerId) && !isRelay(peerId)
  const isRefused = (peerId: PeerId) => isStranger(peerId) || limits.isShutOut(peerId)
  const pending = new PendingConnections()
  const refuses = (peerId: PeerId, refused: boolean) => {
    if (refused) onRefused(peerId)
    return refused
  }
  return {
    denyInboundConnection: (connection) => pending.isExcess(connection),
    denyDialPeer: isRefused,
    denyInboundEncryptedConnection: (peerId) =>
      refuses(peerId, isStranger(peerId)) || limits.isShutOut(peerId) || crowds(peerId),
    denyInboundUpgradedConnection: (_peerId, connection) => {
      pending.settled(connection)
      return false
    },
    denyOutboundEncryptedConnection: isRefused,
    denyInboundRelayedConnection: (_relay, peerId) => refuses(peerId, !isMember(peerId)),
    denyInboundRelayReservation: (peerId) => !isMember(peerId),
    denyOutboundRelayedConnection: (source, destination) => !isMember(source) || !isMember(destination),
    filterMultiaddrForPeer: (peerId) => peerId.equals(self) || !isStranger(peerId)
  }
}
