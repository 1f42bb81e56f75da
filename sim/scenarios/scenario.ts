import type { Charter } from '../../src/protocol/charter/charter.ts'

/** How a faulty member departs from the protocol; several at once are allowed. */
export const BEHAVIOURS = [
  /** Sends nothing at all. */
  'silent',
  /** Sends to, and serves, only some members. */
  'selective',
  /** Runs as two live copies of one identity from the beginning, each with its own log, and ignores that. */
  'twin',
  /** Its home is copied in the second round, log included, and both copies follow the protocol. */
  'copied',
  'equivocates-manifest',
  'equivocates-endorsement',
  'equivocates-ready',
  'equivocates-proposal',
  'equivocates-prevote',
  'equivocates-precommit',
  'equivocates-attestation',
  /** Votes, but never announces an adapter. */
  'announces-nothing',
  /** Endorses, then serves no blocks. */
  'withholds-blocks',
  /** Endorses without having fetched. */
  'endorses-unfetched',
  'proposes-partial',
  'proposes-stale',
  'proposes-oversized',
  /** Claims more documents than the charter allows. */
  'claims-samples',
  /** Publishes manifests with a reveal that is not on its chain. */
  'reveals-wrongly',
  /** Makes proposals from fewer readies than a quorum. */
  'proposes-few',
  /** Puts membership changes of earlier cuts into its own. */
  'replays-changes',
  /** Answers sync with sealed rounds that faulty members alone signed. */
  'gives-false-rounds',
  /** Shards that no honest member endorses. */
  'trains-nonsense',
  'trains-harm',
  /** Repeats old messages of any member. */
  'replays',
  /** Creates messages in others' names, from outsiders, and on other parents. */
  'forges',
  /** Sends many distinct messages: of one view, of views far ahead, of the next round. */
  'floods',
  /** Sends votes for later and later views, many more than a round can need. */
  'floods-uselessly',
  /**
   * Signs faulty messages and sends them to members that are a round behind, which cannot see the fault and forward
   * them.
   */
  'errs-early',
  'attests-false-digests'
] as const

export type Behaviour = (typeof BEHAVIOURS)[number]

export interface FaultyMember {
  readonly member: number
  readonly behaviours: readonly Behaviour[]
}

/** Stops a member while it is working. */
export interface Crash {
  readonly member: number
  /** Number of its effects in the round that are still carried out; the next may be a half-written record. */
  readonly afterEffects: number
  readonly downMs: number
  /** Whether the log, and with it everything that the member knew, is lost when it restarts. */
  readonly losesLog: boolean
}

/** What the faulty members and the network jointly do in a view (`adversary/script.ts`). */
export type Act =
  /** A quorum prevotes a cut, and no honest member sees that quorum. */
  | 'hide-polka'
  /** Some members lock a cut, and only one member sees the precommits that decide it. */
  | 'lock'
  /** Some members lock a cut, and no member sees it decided. */
  | 'half-lock'
  /** Proposals are held back: the view ends without a cut. */
  | 'starve'
  /** The same, and one honest member hears nothing of it, so that it falls several views behind. */
  | 'outrun'
  /** A faulty proposer makes a fresh proposal of another cut. */
  | 'break-fresh'
  /** A faulty proposer repeats another cut, as valid in a view where it had no quorum. */
  | 'break-without-polka'
  /** A faulty proposer repeats the cut of the hidden quorum, which is older than the lock. */
  | 'break-with-old-polka'
  /** A faulty proposer puts a manifest without a certificate into its cut. */
  | 'smuggle'

/** A plan for the views of a round; acts that need a faulty proposer starve the views until there is one. */
export interface Script {
  readonly acts: readonly Act[]
  /** How the faulty members vote once the acts are over. */
  readonly afterwards: 'silent' | 'loyal'
  /** Determines which member witnesses a lock, and which members lock. */
  readonly draw: number
}

/** What happens in a round until it heals. */
export interface Weather {
  /** Latest time of healing, milliseconds after the first honest member began the round. */
  readonly healMs: number
  /** One-way delay, milliseconds. */
  readonly delay: readonly [number, number]
  readonly loss: number
  readonly duplication: number
  /** Whether messages held back by a partition or script are lost, or delivered when the round heals. */
  readonly losesHeld: boolean
  /** Side of every member (of a twin's first copy; the second is on the other side), or none. */
  readonly partition?: readonly number[]
  /** If given, sides are drawn again for every view from this seed. */
  readonly partitionByView?: number
  readonly script?: Script
  readonly crashes: readonly Crash[]
  /** Members whose training fails. */
  readonly untrained: readonly number[]
}

/** Messages arrive, no member crashes, and every member trains. */
export const CALM: Weather = {
  healMs: 120_000,
  delay: [5, 60],
  loss: 0,
  duplication: 0,
  losesHeld: false,
  crashes: [],
  untrained: []
}

/** Rule 11: a peer that is to join or leave from a round on. */
export interface MembershipPlan {
  readonly round: number
  readonly type: 'join' | 'leave' | 'evict'
  /** Joining people come after the members: `members`, `members + 1` and so on. */
  readonly person: number
  /** Members that request it, if not every honest member does. */
  readonly by?: readonly number[]
}

/** Everything that a run depends on: the same scenario gives the same run. */
export interface Scenario {
  readonly seed: number
  readonly members: number
  readonly rounds: number
  readonly signatures: 'ideal' | 'real'
  readonly minShards: number
  readonly timeouts: Charter['timeouts']
  readonly faulty: readonly FaultyMember[]
  /** By round, from the first; the last one applies to all later rounds. */
  readonly weather: readonly Weather[]
  /** One-way delay once a round has healed, milliseconds. */
  readonly calmDelay: readonly [number, number]
  /** The speed of every member's clock. */
  readonly clocks: readonly number[]
  readonly syncEveryMs: number
  /** Duration of training, milliseconds, and of fetches and builds if not the default. */
  readonly trainMs?: readonly [number, number]
  readonly workMs?: readonly [number, number]
  /** People that are not in the charter, and follow until they are admitted. */
  readonly joiners?: number
  readonly changes?: readonly MembershipPlan[]
  /** Members that are down from the start of one round to the start of another. */
  readonly absences?: readonly { readonly member: number; readonly from: number; readonly until: number }[]
  /** Members whose builds are wrong in a round. */
  readonly miscomputes?: readonly { readonly member: number; readonly round: number }[]
  /** Whether sealed rounds are kept to the end, and not only while a member may need them. */
  readonly keepsAll?: boolean
  /**
   * Whether members forward what they accept, score their neighbours and shut out misbehaving ones, as the network
   * does. Otherwise everybody hears everybody.
   */
  readonly gossips?: boolean
  /** Additional duration of members' builds, milliseconds. */
  readonly slow?: readonly { readonly member: number; readonly buildMs: number }[]
  readonly charter?: Partial<Pick<Charter, 'trainers' | 'committee' | 'heldOutVeto' | 'retain'>>
}
