import type { Charter } from '../../src/protocol/charter/charter.ts'

/** How a faulty member departs from the protocol; several at once are allowed. */
export const BEHAVIOURS = [
  /** Sends nothing at all. */
  'silent',
  /** Sends to, and serves, only some members. */
  'selective',
  /** Runs as two live copies of one identity, each from the beginning and with a log of its own, and sees nothing in it. */
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
  /** Votes, and never announces an adapter. */
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
  /** Makes messages in others' names, from outsiders, and on other parents. */
  'forges',
  /** Sends many distinct messages: of one view, of views far ahead, of the next round. */
  'floods',
  /** Sends votes of later and later views, many more than a round can need. */
  'floods-uselessly',
  /** Signs what is faulty, and sends it to members that are a round behind: it does not show there, and they pass it on. */
  'errs-early',
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
  /** Number of its effects in the round that are still carried out; the next one may be a half-written record. */
  readonly afterEffects: number
  readonly downMs: number
  /** Whether the log, and with it everything that the member knew, is lost when it comes back. */
  readonly losesLog: boolean
}

/** What the faulty members and the network do together in a view (`adversary/script.ts`). */
export type Act =
  /** A quorum prevotes a cut, and no honest member sees that quorum. */
  | 'hide-polka'
  /** A cut is locked by some, and one member alone sees the precommits that decide it. */
  | 'lock'
  /** A cut is locked by some, and no member sees it decided. */
  | 'half-lock'
  /** Proposals are held back: the view ends with nothing. */
  | 'starve'
  /** The same, and one honest member hears nothing of it, so that it falls views behind the others. */
  | 'outrun'
  /** A faulty proposer makes a fresh proposal of another cut. */
  | 'break-fresh'
  /** A faulty proposer repeats another cut, as valid in a view where it had no quorum. */
  | 'break-without-polka'
  /** A faulty proposer repeats the cut of the hidden quorum, which is older than the lock. */
  | 'break-with-old-polka'
  /** A faulty proposer puts a manifest without a certificate into its cut. */
  | 'smuggle'

/** A plan for the views of a round; acts that need a faulty proposer wait, starving, for one. */
export interface Script {
  readonly acts: readonly Act[]
  /** What the faulty members do with their votes once the acts are over. */
  readonly afterwards: 'silent' | 'loyal'
  /** Draws which member is the witness of a lock, and which members lock. */
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
  /** If given, sides are drawn again for every view, from this number. */
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

/** Rule 11: a peer that is to join or to leave, from a round on. */
export interface MembershipPlan {
  readonly round: number
  readonly type: 'join' | 'leave' | 'evict'
  /** Joining people come after the members: `members`, `members + 1` and so on. */
  readonly person: number
  /** Members that ask for it, if not every honest member does. */
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
  /** How fast every member's clock runs. */
  readonly clocks: readonly number[]
  readonly syncEveryMs: number
  /** How long a training takes, milliseconds, and how long fetches and builds do, if not as usual. */
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
   * Whether members forward what they accept, keep scores of their neighbours and shut out who misbehaves, as the network
   * does. Else everybody hears everybody, whatever they do.
   */
  readonly gossips?: boolean
  /** By how much longer the builds of members take, milliseconds. */
  readonly slow?: readonly { readonly member: number; readonly buildMs: number }[]
  readonly charter?: Partial<Pick<Charter, 'trainers' | 'committee' | 'heldOutVeto' | 'retain'>>
}
