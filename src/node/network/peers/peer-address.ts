import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { CODE_P2P, CODE_P2P_CIRCUIT, type Multiaddr, multiaddr } from '@multiformats/multiaddr'

/** An address and the PeerId expected there. */
export interface PeerAddress {
  readonly address: Multiaddr
  readonly peerId: PeerId
}

/**
 * Reads an address that ends in `/p2p/<PeerId>`.
 *
 * @throws {Error} that says what is wrong with it
 */
export function readPeerAddress(text: string): PeerAddress {
  const address = multiaddr(text)
  const last = address.getComponents().at(-1)
  if (last?.code !== CODE_P2P || last.value === undefined)
    throw new Error('it does not end in /p2p/<PeerId>, which identifies the peer')
  return { address, peerId: peerIdFromString(last.value) }
}

/** Whether an address is relayed. */
export function isRelayed(address: Multiaddr): boolean {
  return address.getComponents().some(({ code }) => code === CODE_P2P_CIRCUIT)
}

/** The address with the PeerId at its end. */
export function withPeerId(address: Multiaddr, peerId: PeerId): Multiaddr {
  return address.getComponents().at(-1)?.code === CODE_P2P ? address : address.encapsulate(`/p2p/${peerId}`)
}
