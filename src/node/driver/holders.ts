import type { PeerId } from '@libp2p/interface'
import { isKind, type Message, type PeerState } from '../../protocol/index.ts'

/**
 * Who may have a manifest's blocks, the likeliest first: its author and its endorsers, then everybody else who is
 * connected (an endorsement may not have arrived yet).
 */
export function holdersOf(
  state: PeerState,
  manifest: Message<'manifest'>,
  connected: readonly PeerId[]
): PeerId[] {
  const likely = new Set<number>([manifest.author])
  for (const member of state.certificates.get(manifest.author)?.endorsements ?? []) likely.add(member.member)
  for (const kept of state.messages.get(`endorsement/${manifest.author}`)?.values() ?? []) {
    for (const message of kept) if (isKind(message, 'endorsement')) likely.add(message.author)
  }
  const isLikely = (peer: PeerId) =>
    [...likely].some(
      (index) => Buffer.compare(state.context.members[index]!.peer, peer.toMultihash().bytes) === 0
    )
  return [...connected.filter(isLikely), ...connected.filter((peer) => !isLikely(peer))]
}
