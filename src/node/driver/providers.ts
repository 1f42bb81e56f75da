import type { PeerId } from '@libp2p/interface'
import { type Message, messagesOf, type PeerState } from '../../protocol/index.ts'

/** Connected peers that have all of a manifest's blocks: its author and its endorsers. */
export function providersOf(
  state: PeerState,
  manifest: Message<'manifest'>,
  connected: readonly PeerId[]
): PeerId[] {
  const providers = new Set<number>([manifest.author])
  for (const member of state.certificates.get(manifest.author)?.endorsements ?? [])
    providers.add(member.member)
  for (const { author } of messagesOf(state, 'endorsement', manifest.author)) providers.add(author)
  const peers = new Set([...providers].map((index) => peerKey(state.context.members[index]!.peer)))
  return connected.filter((peer) => peers.has(peerKey(peer.toMultihash().bytes)))
}

/** A manifest's author, if connected. */
export function authorOf(
  state: PeerState,
  { author }: Message<'manifest'>,
  connected: readonly PeerId[]
): PeerId | undefined {
  const key = peerKey(state.context.members[author]!.peer)
  return connected.find((peer) => peerKey(peer.toMultihash().bytes) === key)
}

function peerKey(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
