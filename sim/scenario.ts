import type { Charter } from '../src/protocol/charter/charter.ts'

/** How a faulty member departs from the protocol; several at once are allowed. */
export const BEHAVIOURS = [
  /** Says nothing at all. */
  'silent',
  /** Speaks to, and serves, only some. */
  'selective',
  /** Runs as two live copies of one identity. */
  'twin',
  'equivocates-manifest',
  'equivocates-endorsement',
  'equivocates-ready',
  'equivocates-proposal',
  'equivocates-prevote',
  'equivocates-precommit',
  'equivocates-attestation',
  /** Endorses, then serves no blocks. */
  'withholds-blocks',
  /** Endorses without having fetched. */
  'endorses-unfetched',
  'proposes-partial',
  'proposes-stale',
  'proposes-oversized',
  /** Claims more documents than the charter allows. */
  'claims-samples',
  /** Publishes manifests with a reveal that is none. */
  'reveals-wrongly',
  /** Makes proposals from fewer readies than a quorum. */
  'proposes-few',
  /** Puts membership changes of earlier cuts into its own. */
  'replays-changes',
  /** Answers those who ask with sealed rounds that faulty members alone signed. */
  'gives-false-rounds',
  /** Shards that hold what no honest member endorses. */
  'trains-nonsense',
  'trains-harm',
  /** Sends old messages of anybody again. */
  'replays',
  /** Makes messages in others' names, from outsiders, and on other parents. */
  'forges',
  /** Sends many distinct messages: of one view, of views far ahead, of the next round. */
  'floods',
  'attests-false-digests'
] as const

export type Behaviour = (typeof BEHAVIOURS)[number]

export interface FaultyMember {
  readonly member: number
  readonly behaviours: readonly Behaviour[]
}

/** Stops a member in the middle of its work. */
export interface Crash {
  readonly member: number
  /** How many of its effects in the round are still carried out; the one after may be a half-written record. */
  readonly afterEffects: number
  readonly downMs: number
  /** Whether the log, and with it all that the member knew, is gone when it comes back. */
  readonly losesLog: boolean
}

/** What the faulty members and the network do together in a view (`adversary/script.ts`). */
export type Act =
  /** A quorum prevotes a cut, and no honest member sees that quorum. */
  | 'hide-polka'
  /** A cut is locked by some, and one member alone sees the precommits that decide it. */
  | 'lock'
  /** A cut is locked by some, and no one sees it decided. */
  | 'half-lock'
  /** Proposals are held back: the view ends with nothing. */
  | 'starve'
  /** The same, and one honest member hears nothing of it: the others leave it views behind. */
  | 'outrun'
  /** A faulty proposer proposes another cut, freshly. */
  | 'break-fresh'
  /** A faulty proposer repeats another cut, as valid in a view where it had no quorum. */
  | 'break-without-polka'
  /** A faulty proposer repeats the cut of the hidden quorum, which is older than the lock. */
  | 'break-with-old-polka'
  /** A faulty proposer puts a manifest that nobody certified into its cut. */
  | 'smuggle'

/** A plan for the views of a round; acts that need a faulty proposer wait, starving, for one. */
export interface Script {
  readonly acts: readonly Act[]
  /** What the faulty members do with their votes once the acts are over. */
  readonly afterwards: 'silent' | 'loyal'
  /** Draws who is the witness of a lock, and who locks. */
  readonly draw: number
}

/** What happens in a round until it heals. */
export interface Weather {
  /** Milliseconds after the first honest member began the round at which it heals at the latest. */
  readonly healMs: number
  /** One-way delay, milliseconds. */
  readonly delay: readonly [number, number]
  readonly loss: number
  readonly duplication: number
  /** Whether messages that a partition or a script held back are lost, or come when the round heals. */
  readonly losesHeld: boolean
  /** Side of every member (of a twin's first copy; the second is on the other side), or none. */
  readonly partition?: readonly number[]
  /** Sides are drawn anew for every view from this number, where given. */
  readonly partitionByView?: number
  readonly script?: Script
  readonly crashes: readonly Crash[]
  /** Members whose training fails. */
  readonly untrained: readonly number[]
}

/** Messages come, nobody crashes, and everybody trains. */
export const CALM: Weather = {
  healMs: 120_000,
  delay: [5, 60],
  loss: 0,
  duplication: 0,
  losesHeld: false,
  crashes: [],
  untrained: []
}

/** Rule 11: somebody who is to come or to go, from a round on. */
export interface MembershipPlan {
  readonly round: number
  readonly type: 'join' | 'leave' | 'evict'
  /** Joining people come after the members: `members`, `members + 1` and so on. */
  readonly person: number
  /** Who asks for it, where not every honest member does. */
  readonly by?: readonly number[]
}

/** A run, whole: the same scenario gives the same run. */
export interface Scenario {
  readonly seed: number
  readonly members: number
  readonly rounds: number
  readonly signatures: 'ideal' | 'real'
  readonly minShards: number
  readonly timeouts: Charter['timeouts']
  readonly faulty: readonly FaultyMember[]
  /** By round, from the first; the last one stays. */
  readonly weather: readonly Weather[]
  /** One-way delay once a round has healed, milliseconds. */
  readonly calmDelay: readonly [number, number]
  /** How fast every member's clock runs. */
  readonly clocks: readonly number[]
  readonly syncEveryMs: number
  /** How long a training takes, milliseconds, and how long fetches and builds do, where other than usual. */
  readonly trainMs?: readonly [number, number]
  readonly workMs?: readonly [number, number]
  /** People who are in no charter, and follow until they are let in. */
  readonly joiners?: number
  readonly changes?: readonly MembershipPlan[]
  /** Members who are down from the begin of one round to the begin of another. */
  readonly absences?: readonly { readonly member: number; readonly from: number; readonly until: number }[]
  /** Members whose machine computes wrongly in a round. */
  readonly miscomputes?: readonly { readonly member: number; readonly round: number }[]
  /** Whether sealed rounds are kept to the end, and not only for as long as somebody may need them. */
  readonly keepsAll?: boolean
  readonly charter?: Partial<Pick<Charter, 'trainers' | 'committee' | 'heldOutVeto' | 'retain'>>
}
