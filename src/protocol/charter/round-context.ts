import { compareBytes, equalBytes, hex } from '../encoding/bytes.ts'
import { hashCanonical } from '../encoding/canonical-cbor.ts'
import { type Charter, genesisParent, type Member, type SignedCharter } from './charter.ts'
import { maximumFaulty, quorumSize } from './quorum.ts'
import { drawMembers } from './sample.ts'

/** A seal on which requests may still build, with the digest of the model that it left. */
export interface RecentSeal {
  readonly seal: Uint8Array
  readonly model: Uint8Array
}

/** A request that has taken effect, with the seal that it built on; kept for as long as that one is recent. */
export interface SpentRequest {
  readonly id: Uint8Array
  readonly seal: Uint8Array
}

/** What every member of a round knows before its first message: the terms under which its signatures are judged. */
export interface RoundContext {
  readonly charter: Charter
  readonly charterId: Uint8Array
  /** Rounds count from 1. */
  readonly round: number
  /** Id of the seal that this round builds on. */
  readonly parent: Uint8Array
  /** Digest of the model that this round starts from. */
  readonly modelDigest: Uint8Array
  readonly seed: Uint8Array
  /** The round's members, sorted by PeerId bytes; messages name them by their index here. */
  readonly members: readonly Member[]
  /** The parent and those before it, oldest first. */
  readonly recent: readonly RecentSeal[]
  readonly spent: readonly SpentRequest[]
  /** Indices of the members who vote in this round: all, or the committee of rule 13 *Sample*; f and q are theirs. */
  readonly voters: readonly number[]
  readonly faulty: number
  readonly quorum: number
  /** Indices of the members who train in this round. */
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

/** What a seal settles for the round after it. */
export interface NextRound {
  readonly parent: Uint8Array
  readonly modelDigest: Uint8Array
  readonly seed: Uint8Array
  readonly members: readonly Member[]
  readonly recent: readonly RecentSeal[]
  readonly spent: readonly SpentRequest[]
}

/** The context of the round that follows. */
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

/** Rule 4 *Propose*: the proposer of a view is voters[(H(seed) + view) mod n], the hash read big-endian. */
export function proposerOf(context: RoundContext, view: number): number {
  const { voters } = context
  return voters[Number((turnOf(context.seed) + BigInt(view)) % BigInt(voters.length))]!
}

/** By seed; a member asks for it with every proposal and vote of a round. */
const turns = new WeakMap<Uint8Array, bigint>()

function turnOf(seed: Uint8Array): bigint {
  const known = turns.get(seed)
  if (known !== undefined) return known
  const turn = BigInt(`0x${hex(hashCanonical('proposer', seed))}`)
  turns.set(seed, turn)
  return turn
}

/** A 32-bit seed for what a member draws in this round: its fresh LoRA. Known to all, so that a training can be re-run. */
export function trainingSeed(context: RoundContext, peer: Uint8Array): number {
  return seedNumber(hashCanonical('training-seed', { seed: context.seed, peer }))
}

/** A 32-bit seed for the order in which a member goes through its documents, the same in all rounds. */
export function documentSeed(context: RoundContext, peer: Uint8Array): number {
  return seedNumber(hashCanonical('document-seed', { charter: context.charterId, peer }))
}

function seedNumber(hash: Uint8Array): number {
  return new DataView(hash.buffer, hash.byteOffset).getUint32(0)
}
