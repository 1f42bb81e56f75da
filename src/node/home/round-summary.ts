import { memberCounts, shares } from '../../adapter/index.ts'
import {
  hex,
  isHeld,
  memberWeights,
  type PeerState,
  type RoundContext,
  type SealedRound,
  slotOf
} from '../../protocol/index.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { CutEntry, ProgressReport, RoundSummary } from './peer-report.ts'

/** A sealed round in a report, apart from times and bytes. */
export function roundSummary(context: RoundContext, { seal, manifests }: SealedRound): RoundSummary {
  const weights = cutShares(context, manifests)
  const cut: CutEntry[] = manifests.map(({ author, body }, index) => ({
    peerId: peerIdText(context.members[author]!.peer),
    rank: Math.max(...body.shards.map(({ rank }) => rank)),
    samples: body.samples,
    weight: weights[index]!
  }))
  const stackDigest = seal.stack === null ? null : hex(seal.stack)
  return { round: context.round, cut, stackDigest, modelDigest: hex(seal.model) }
}

/** The members' shares of a cut; a member whose shards the build left out has one here all the same. */
function cutShares(context: RoundContext, manifests: SealedRound['manifests']): number[] {
  if (manifests.length === 0) return []
  const members = manifests.map(({ author, body }) => ({
    author: context.members[author]!.peer,
    samples: body.samples
  }))
  return shares(memberCounts(members, memberWeights(context), context.charter.clip))
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
