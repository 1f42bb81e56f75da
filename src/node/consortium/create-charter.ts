import { peerIdFromString } from '@libp2p/peer-id'
import type { Clip, ShardDtype } from '../../adapter/index.ts'
import type { BaseModel } from '../../model/index.ts'
import { type Charter, checkCharter, compareBytes, maximumFaulty } from '../../protocol/index.ts'
import type { MemberCard } from '../home/identity.ts'
import { PeerError } from '../storage/peer-error.ts'
import { describeBase } from './charter-base.ts'
import { CHARTER_DEFAULTS } from './charter-defaults.ts'

/** What a founder decides; the rest has a default. Times are milliseconds. */
export interface CharterTerms {
  readonly name: string
  readonly members: readonly MemberCard[]
  readonly base: BaseModel
  /** Full module names or endings such as `q_proj`. */
  readonly targetModules: readonly string[]
  /** Fewest shards that are stacked; where it is not given, one more than the trainers that may be faulty. */
  readonly minShards?: number
  /** Members that train in a round, drawn by the seed; 0, or not given: all. */
  readonly trainers?: number
  /** A committee that votes for all, drawn by the seed; not given: all vote. */
  readonly committee?: Charter['committee']
  readonly maximumRank?: number
  /** Largest Frobenius norm of a module's update in a round without a cut before it; 1,000 where it is not given. */
  readonly maximumNorm?: number
  /** Element format in which shards travel; f32 where it is not given. */
  readonly dtype?: ShardDtype
  /** Nats per token by which an update may raise a member's held-out loss (rule 2); false: the check is advice. */
  readonly heldOutMargin?: number | false
  /** What shards count: `uniform` all the same, or by PeerId, and 1 for who is not named; not given: by samples. */
  readonly weights?: 'uniform' | ReadonlyMap<string, number>
  /** Whether updates are clipped to the median norm of the cut; they are where it is not given. */
  readonly clip?: Clip
  readonly timeouts?: Partial<Charter['timeouts']>
  /** Rounds after the seal during which blocks are served. */
  readonly retain?: number
}

/** Alpha is mostly once or twice the rank; beyond this the step, not the adapter, is too large. */
const ALPHA_PER_RANK_MAX = 8
const SAMPLE_CAP = 1_000_000
/** An honest update's norm differs little between members; ten medians leave room for unlike data. */
export const NORM_FACTOR = 10
const NORM_ABSOLUTE = 1_000

/**
 * Draws up a charter.
 *
 * @throws {PeerError} for a card that is none, or a member twice
 * @throws {MalformedError} for terms that do not fit together
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
  if (weights === 'uniform') return weights
  return [...weights]
    .map(([peerId, weight]) => ({ peer: peerBytes(peerId), weight }))
    .sort((left, right) => compareBytes(left.peer, right.peer))
}

function peerBytes(peerId: string): Uint8Array {
  try {
    return peerIdFromString(peerId).toMultihash().bytes
  } catch {
    throw new PeerError(`${JSON.stringify(peerId)} is no PeerId`)
  }
}
