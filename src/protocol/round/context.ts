import { type Charter, genesisParent, type Member, type SignedCharter } from '../charter/charter.ts'
import { maximumFaulty, quorumSize } from '../charter/quorum.ts'
import { compareBytes, equalBytes } from '../encoding/bytes.ts'
import { hashCanonical } from '../encoding/canonical-cbor.ts'
import { drawMembers } from './draw-members.ts'

/** A seal on which requests may still build, with the digest of the model that it left. */
export interface RecentSeal {
  readonly seal: Uint8Array
  readonly model: Uint8Array
}

/** A request that has taken effect, with the seal that it built on; kept while that seal is recent. */
export interface SpentRequest {
  readonly id: Uint8Array
  readonly seal: Uint8Array
}

/** What every member of a round knows before its first message: the terms by which its messages are judged. */
export interface RoundContext {
  readonly charter: Charter
  readonly charterId: Uint8Array
  /** Rounds are counted from 1. */
  readonly round: number
  /** Id of the seal that this round builds on. */
  readonly parent: Uint8Array
  /** Digest of the model that this round starts from. */
  readonly modelDigest: Uint8Array
  readonly seed: Uint8Array
  /** The round's members, sorted by PeerId bytes; messages name them by their index here. */
  readonly members: readonly Member[]
  /** The parent and the seals before it, oldest first. */
  readonly recent: readonly RecentSeal[]
  readonly spent: readonly SpentRequest[]
  /**
   * Indices of the members that vote in this round: all, or the committee of rule 13 *Sample*; f and q refer to them.
   */
  readonly voters: readonly number[]
  readonly faulty: number
  readonly quorum: number
  /** Indices of the members that train in this round. */
  readonly trainers: readonly number[]
}

/** The first round's context, from the charter alone. */
export function genesisContext(signed: SignedCharter): RoundContext {
  const parent = genesisParent(signed.id)
  const { modelDigest } = signed.charter.base
  return contextOf(signed.charter, signed.id, {
    round: 1,
    parent,
    modelDigest,
    recent: [{ seal: parent, model: modelDigest }],
    spent: [],
    seed: hashCanonical('seed-genesis', signed.id),
    members: signed.charter.members
  })
}

/** What a seal settles for the next round. */
export type NextRound = Pick<RoundContext, 'parent' | 'modelDigest' | 'seed' | 'members' | 'recent' | 'spent'>

/** The context of the next round. */
export function followingContext(context: RoundContext, next: NextRound): RoundContext {
  return contextOf(context.charter, context.charterId, { round: context.round + 1, ...next })
}

function contextOf(charter: Charter, id: Uint8Array, given: NextRound & { round: number }): RoundContext {
  const members = [...given.members].sort((left, right) => compareBytes(left.peer, right.peer))
  const voters = drawMembers('committee', given.seed, members.length, charter.committee?.size ?? 0)
  return {
    charter,
    charterId: id,
    ...given,
    members,
    voters,
    faulty: maximumFaulty(voters.length),
    quorum: quorumSize(voters.length),
    trainers: drawMembers('trainers', given.seed, members.length, charter.trainers)
  }
}

/** Index of a member in the round, or −1. */
export function memberIndex(context: RoundContext, peer: Uint8Array): number {
  return context.members.findIndex((member) => equalBytes(member.peer, peer))
}
