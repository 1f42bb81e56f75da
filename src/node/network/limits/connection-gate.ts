import type { ConnectionGater, PeerId } from '@libp2p/interface'
import type { PeerLimits } from './peer-limits.ts'
import { PendingConnections } from './pending-connections.ts'

/** Whom a peer lets in. Asked anew for each connection. */
export interface Admission {
  /** Members take part in everything. */
  readonly isMember: (peerId: PeerId) => boolean
  /** Relays carry connections: they are connected to and told where members are, but get no gossip and no blocks. */
  readonly isRelay: (peerId: PeerId) => boolean
}

/** What else the gater asks and tells. */
export interface GaterOptions extends Admission {
  readonly self: PeerId
  /** Who is shut out for a while is let in no more than a stranger, and not remembered worse than before. */
  readonly limits: PeerLimits
  /** Whether a peer has as many connections as it may. */
  readonly crowds: (peerId: PeerId) => boolean
  readonly onRefused: (peerId: PeerId) => void
}

/**
 * Refuses strangers: those that dial, those that would be dialled, those that come through a relay, and those that want
 * to be carried by this peer. A relay's word on who is behind it counts for nothing: the handshake goes through it from
 * end to end, and whom it proves is asked about too. Addresses of strangers are not even remembered.
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
