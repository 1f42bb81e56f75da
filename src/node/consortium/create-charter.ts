import { peerIdFromString } from '@libp2p/peer-id'
import type { Clip, ShardDtype } from '../../adapter/index.ts'
import type { BaseModel } from '../../model/index.ts'
import { type Charter, checkCharter, compareBytes, maximumFaulty } from '../../protocol/index.ts'
import type { MemberCard } from '../home/identity.ts'
import { PeerError } from '../storage/peer-error.ts'
import { describeBase } from './charter-base.ts'
import { CHARTER_DEFAULTS } from './charter-defaults.ts'

/** What a founder decides; everything else has a default. Times are in milliseconds. */
export interface CharterTerms {
  readonly name: string
  readonly members: readonly MemberCard[]
  readonly base: BaseModel
  /** Full module names or endings such as `q_proj`. */
  readonly targetModules: readonly string[]
  /** Minimum number of stacked members; by default one more than the trainers that may be faulty. */
  readonly minShards?: number
  /** Members that train in a round, drawn by the seed; all if 0 or not given. */
  readonly trainers?: number
  /** Size of the voting committee, drawn by the seed; all members vote if not given. */
  readonly committee?: Charter['committee']
  readonly maximumRank?: number
  /** Largest Frobenius norm of a module's update in a round without a previous cut; 1,000 by default. */
  readonly maximumNorm?: number
  /** Element format of shards on the wire; f32 by default. */
  readonly dtype?: ShardDtype
  /** Nats per token by which an update may raise a member's held-out loss (rule 2); the check only warns if false. */
  readonly heldOutMargin?: number | false
  /** Weights of the members: `uniform`, or by PeerId with 1 for those not named; by samples if not given. */
  readonly weights?: 'uniform' | 'documents' | ReadonlyMap<string, number>
  /** Whether updates are clipped to the median norm of the cut; true by default. */
  readonly clip?: Clip
  readonly timeouts?: Partial<Charter['timeouts']>
  /** Rounds after the seal during which blocks are served. */
  readonly retain?: number
}

/** Alpha is usually once or twice the rank; beyond this bound the step size is the problem. */
const ALPHA_PER_RANK_MAX = 8
const SAMPLE_CAP = 10 ** 12
/** Norms of honest updates differ little between members; ten medians leave room for very different data. */
export const NORM_FACTOR = 10
const NORM_ABSOLUTE = 1_000

/**
 * Draws up a charter.
 *
 * @throws {PeerError} for an invalid card, or a member listed twice
 * @throws {MalformedError} for contradictory terms
 */
export async function createCharter(terms: CharterTerms): Promise<Charter> {
  const members = terms.members
    .map(({ peerId, anchor }) => ({
      peer: peerBytes(peerId),
      anchor: Uint8Array.from(Buffer.from(anchor, 'hex'))
    }))
    .sort((left, right) => compareBytes(left.peer, right.peer))
  const maximumRank = terms.maximumRank ?? CHARTER_DEFAULTS.maximumRank
  return checkCharter({
    version: 1,
    name: terms.name,
    members,
    base: await describeBase(terms.base, terms.targetModules),
    rule: 'flora',
    init: 'fresh',
    dtype: terms.dtype ?? 'f32',
    rankStabilised: false,
    trainers: terms.trainers ?? 0,
    committee: terms.committee ?? null,
    minShards: terms.minShards ?? maximumFaulty(terms.trainers || members.length) + 1,
    rank: { min: 1, max: maximumRank },
    alpha: { min: 1e-3, max: ALPHA_PER_RANK_MAX * maximumRank },
    sampleCap: SAMPLE_CAP,
    ...(terms.weights === undefined ? {} : { weights: charterWeights(terms.weights) }),
    ...(terms.clip === 'none' ? {} : { clip: 'median' }),
    norm: { factor: NORM_FACTOR, absolute: terms.maximumNorm ?? NORM_ABSOLUTE },
    heldOutVeto: heldOutVeto(terms),
    timeouts: { ...CHARTER_DEFAULTS.timeouts, ...terms.timeouts },
    retain: terms.retain ?? CHARTER_DEFAULTS.retain
  })
}

function heldOutVeto({
  heldOutMargin = CHARTER_DEFAULTS.heldOutMargin
}: CharterTerms): Charter['heldOutVeto'] {
  return heldOutMargin === false ? false : { margin: heldOutMargin }
}

function charterWeights(weights: NonNullable<CharterTerms['weights']>): NonNullable<Charter['weights']> {
  if (typeof weights === 'string') return weights
  return [...weights]
    .map(([peerId, weight]) => ({ peer: peerBytes(peerId), weight }))
    .sort((left, right) => compareBytes(left.peer, right.peer))
}

function peerBytes(peerId: string): Uint8Array {
  try {
    return peerIdFromString(peerId).toMultihash().bytes
  } catch {
    throw new PeerError(`${JSON.stringify(peerId)} is not a PeerId`)
  }
}
