import type { PeerId } from '@libp2p/interface'
import { genesisContext, type Invite, memberIndex, type SignedCharter } from '../../protocol/index.ts'
import type { PeerConfig } from '../config/index.ts'
import type { RoundStore } from '../home/round-store.ts'
import { invitedPeers } from './invite-files.ts'

/** Whom a home's peer knows, and where it begins to look for the others. */
export interface KnownPeers {
  /** Whether one is, or was at the beginning, a member; by the bytes of its PeerId. */
  isKnown(peer: Uint8Array): boolean
  /** Whether one may connect and be connected to, beside the configured relays. */
  isAllowed(peerId: PeerId): boolean
  /** Whether one may be dialled: those, and the relays. */
  isDialled(peerId: PeerId): boolean
  /** Addresses of members to begin with. */
  readonly bootstrap: readonly string[]
}

/**
 * Founders may have left and still serve history to others; who joined is in the head, and where an invite leads may be
 * dialled before its members are known.
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
