import { peerIdFromMultihash } from '@libp2p/peer-id'
import { decode } from 'multiformats/hashes/digest'

/** PeerId as text of its multihash bytes. */
export function peerIdText(peer: Uint8Array): string {
  return peerIdFromMultihash(decode(peer)).toString()
}
