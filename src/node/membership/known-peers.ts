import type { PeerId } from '@libp2p/interface'
import { genesisContext, type Invite, memberIndex, type SignedCharter } from '../../protocol/index.ts'
import type { PeerConfig } from '../config/index.ts'
import type { RoundStore } from '../home/round-store.ts'
import { invitedPeers } from './invite-files.ts'

/** The peers known to a home, and its bootstrap addresses. */
export interface KnownPeers {
  /** Whether a peer is a member, or was a founder; by the bytes of its PeerId. */
  isKnown(peer: Uint8Array): boolean
  /** Whether a peer may connect and be connected to, beside the configured relays. */
  isAllowed(peerId: PeerId): boolean
  /** Whether a peer may be dialled: those, and the relays. */
  isDialled(peerId: PeerId): boolean
  /** Bootstrap addresses of members. */
  readonly bootstrap: readonly string[]
}

/**
 * Founders may have left and still serve history; later members are in the head; the peers of an invite's addresses may
 * be dialled before the members are known.
 */
export function knownPeers(
  charter: SignedCharter,
  rounds: Pick<RoundStore, 'head'>,
  invite: Invite | undefined,
  network: Pick<PeerConfig['network'], 'bootstrap' | 'relays'>
): KnownPeers {
  const invited = invite === undefined ? new Set<string>() : invitedPeers(invite)
  const founders = genesisContext(charter)
  const isKnown = (peer: Uint8Array) =>
    memberIndex(founders, peer) >= 0 || memberIndex(rounds.head, peer) >= 0
  const isAllowed = (peerId: PeerId) => isKnown(peerId.toMultihash().bytes) || invited.has(peerId.toString())
  return {
    isKnown,
    isAllowed,
    isDialled: (peerId) =>
      isAllowed(peerId) || network.relays.some((relay) => relay.endsWith(`/p2p/${peerId}`)),
    bootstrap: [...network.bootstrap, ...(invite?.bootstrap ?? [])]
  }
}
