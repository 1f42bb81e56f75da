import {
  hex,
  isHeld,
  type PeerState,
  type RoundContext,
  type SealedRound,
  slotOf
} from '../../protocol/index.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { CutEntry, ProgressReport, RoundSummary } from './peer-report.ts'

/** A sealed round in a report, apart from times and bytes. */
export function roundSummary(context: RoundContext, { seal, manifests }: SealedRound): RoundSummary {
  const cut: CutEntry[] = manifests.map(({ author, body }) => ({
    peerId: peerIdText(context.members[author]!.peer),
    rank: Math.max(...body.shards.map(({ rank }) => rank)),
    samples: body.samples
  }))
  const stackDigest = seal.stack === null ? null : hex(seal.stack)
  return { round: context.round, cut, stackDigest, modelDigest: hex(seal.model) }
}

/** Shards of the round's manifests: how many are known, and how many are held completely. */
export function shardCounts(state: PeerState): Pick<ProgressReport, 'shardsHeld' | 'shardsKnown'> {
  let shardsHeld = 0
  let shardsKnown = 0
  for (const [manifest] of slotOf(state, 'manifest', 0)?.byAuthor.values() ?? []) {
    const { length } = manifest!.body.shards
    shardsKnown += length
    if (isHeld(state, manifest!.id)) shardsHeld += length
  }
  return { shardsHeld, shardsKnown }
}
