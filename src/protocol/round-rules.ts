import type { Member } from './charter/charter.ts'
import { quorumSize } from './charter/quorum.ts'
import { isNextReveal } from './charter/reveal-chain.ts'
import type { SpentRequest } from './charter/round-context.ts'
import { equalBytes } from './encoding/bytes.ts'
import type { Verify } from './encoding/signature.ts'
import type { Holding } from './state/state.ts'

/** The lock of rule 5 *Vote*: the view and the cut that a member precommitted last. */
export interface Lock {
  readonly view: number
  readonly id: Uint8Array
}

/**
 * What each rule of `docs/protocol.md` decides, one small function each. They are values so that the simulator can break
 * one of them and show that it sees the damage; a peer has the sound ones and no way to choose others.
 */
export interface RoundRules {
  /** Members whose equal word is binding. */
  quorum(members: number): number
  /** Rule 1 *Endorse once*: which of an author's manifests may be endorsed, given the ids endorsed before. */
  endorsable<M>(manifests: readonly M[], endorsed: readonly unknown[]): readonly M[]
  /** Rule 1: whether blocks in this state may be vouched for. */
  isVouchable(holding: Holding | undefined): boolean
  /** Rules 3, 5, 8: whether a member that already spoke in a kind and slot may speak there again. */
  maySpeakAgain(kind: string): boolean
  /** Rules 1, 5: the log's record goes before the message that it remembers. */
  inOrder<E>(persist: E, broadcast: E): readonly E[]
  /** Rule 2 *Validate*, rule 9 *Weights*: whether a manifest may claim so many training documents. */
  isSampleCount(samples: number, cap: number): boolean
  /** Rule 2: whether an update raises a member's held-out loss, nats per token, by more than the charter's margin. */
  raisesTooMuch(before: number, after: number, margin: number): boolean
  /** Rule 12 *Seed*: whether a reveal is the next of its author's chain. */
  isReveal(anchor: Uint8Array, reveal: Uint8Array): boolean
  /** Rule 4 *Propose*: whether a fresh proposal carries the number of readies that it must. */
  isReadyCount(readies: number, quorum: number): boolean
  /** Rule 4: whether a cut names exactly the authors of its readies' union. */
  isUnion(listed: readonly number[], union: readonly number[]): boolean
  /** Rule 4: whether a union is too small to be stacked: a void round. */
  isTooFew(shards: number, minShards: number): boolean
  /** Rule 4: what a held certificate (or none) says of an entry of a cut. */
  certificateSays(held: Uint8Array | undefined, named: Uint8Array): 'valid' | 'invalid' | 'waiting'
  /** Rule 1: whether so many endorsements make a certificate. */
  isCertificate(endorsements: number, quorum: number): boolean
  /** Rule 4: whose turn it is in a view. */
  proposerTurn(start: bigint, view: number, members: number): number
  /** Rule 4: the valid cut that a proposer has to repeat. */
  toRepeat<V>(valid: V | undefined): V | undefined
  /** Rule 5 *Vote*: whether a locked member may prevote a fresh cut. */
  mayPrevoteFresh(locked: Lock | undefined, cut: Uint8Array): boolean
  /** Rule 5: whether a locked member may prevote a cut that was valid in `validView`. */
  mayPrevoteRepeated(locked: Lock | undefined, cut: Uint8Array, validView: number): boolean
  /** Rule 5: whether so many prevotes prove that a cut was valid. */
  isProven(prevotes: number, quorum: number): boolean
  /** Rule 5: whether a cut may be precommitted without its body. */
  mayPrecommit(hasBody: boolean): boolean
  /** Rule 5: the view to jump to, from each member's highest, descending; -1 for none. */
  jumpTo(highest: readonly number[], faulty: number): number
  /** Rule 5: the views whose precommits count. */
  commitViews(views: readonly number[], current: number): readonly number[]
  /** Rule 5: how long a timer of a view runs, milliseconds. */
  viewTimeout(base: number, growth: number, view: number): number
  /** Rule 5: how long a vote is waited for, from the charter's time and the delays of the latest rounds. */
  voteTimeout(set: number, seen: readonly number[]): number
  /** Rule 3 *Ready*: how long certificates are waited for, from the charter's time and the delays of the latest rounds. */
  gatherDeadline(set: number, seen: readonly number[], doubled: number): number
  /** Rule 6 *Ids*: what an id covers, of a value and of the signatures that were collected for it. */
  idFields<T extends object>(fields: T, signatures: unknown): object
  /** Rule 8 *Attest*: whether a member that attested one cut may attest another. */
  mayAttest(before: Uint8Array, cut: Uint8Array): boolean
  /** Rule 8: what must be equal in the attestations of one seal. */
  attestedAlike<B>(body: B): unknown
  /** Rule 8: whether a member may go on from its own build, as it is the sealed one or not. */
  mayGoOnFrom(isSealed: boolean): boolean
  /** Rule 10 *Evidence*: whether two different headers that one member signed for one place convict it. */
  convicts(samePlace: boolean, samePayload: boolean): boolean
  /** Rule 11 *Membership*: whether so many members' signatures let somebody in, or put somebody out. */
  isAdmitted(admits: number, quorum: number): boolean
  /** Rule 11: how many may join in one cut. */
  joinsAtMost(faulty: number): number
  /** Rule 11: whether a request has taken effect before. */
  isSpent(spent: readonly SpentRequest[], id: Uint8Array): boolean
  /** Rule 16 *Catch-up*: whether so many members' equal attestations are a seal that others may follow. */
  isSeal(attestations: number, quorum: number): boolean
  /** Rule 14 *Sync*: what is given to a member that lacks it. */
  syncGives<M>(lacked: readonly M[]): readonly M[]
  /** Rule 15 *Bounds*: whether one more distinct message of an author, kind and slot is kept. */
  keepsMore(kept: number): boolean
  /** Rule 15: whether one more envelope of the next round is kept of an author. */
  keepsEarly(kept: number): boolean
  /** Rule 1, `retain`: whether a sealed round's blocks are still owed in a round. */
  isRetained(sealedRound: number, round: number, retain: number): boolean
  /** Rule 17 *Lost log*: whether a member that lost its log keeps silent in a round. */
  keepsSilent(round: number, silentThrough: number): boolean
  /** Rule 18 *One verifier*: whether a signature holds. */
  isSigned(verify: Verify, peer: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  /** Whether a message builds on this round's parent. */
  isOfParent(parent: Uint8Array, own: Uint8Array): boolean
  /** Index of a signer among the members of this round, or -1. */
  signerIndex(members: readonly Member[], peer: Uint8Array): number
}

/** Most distinct messages that are kept of one author, kind and slot: two are evidence, more are only weight. */
const DISTINCT_MAX = 2
/** Envelopes of the next round that are kept of one author until that round begins. */
const EARLY_MAX = 8
/** How far a time of the charter is moved, at most, to follow the delays that were seen. */
const DEADLINE_RANGE = 8
/** Rounds that have to have been seen before gathering takes less time than the charter gives. */
const GATHERED_MIN = 3

/** Of an even number the lower one. */
function lowerMedian(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor((values.length - 1) / 2)]!
}

/** The rules as they are: what every peer runs. */
export const soundRules: RoundRules = {
  quorum: quorumSize,
  endorsable: (manifests, endorsed) => (endorsed.length > 0 ? [] : manifests.slice(0, 1)),
  isVouchable: (holding) => holding === 'valid',
  maySpeakAgain: () => false,
  inOrder: (persist, broadcast) => [persist, broadcast],
  isSampleCount: (samples, cap) => samples <= cap,
  // What is no number is no improvement.
  raisesTooMuch: (before, after, margin) => !(after - before <= margin),
  isReveal: isNextReveal,
  isReadyCount: (readies, quorum) => readies === quorum,
  isUnion: (listed, union) =>
    listed.length === union.length && listed.every((author, index) => author === union[index]),
  isTooFew: (shards, minShards) => shards < minShards,
  certificateSays(held, named) {
    if (held === undefined) return 'waiting'
    return equalBytes(held, named) ? 'valid' : 'invalid'
  },
  isCertificate: (endorsements, quorum) => endorsements >= quorum,
  proposerTurn: (start, view, members) => Number((start + BigInt(view)) % BigInt(members)),
  toRepeat: (valid) => valid,
  mayPrevoteFresh: (locked, cut) => locked === undefined || equalBytes(locked.id, cut),
  mayPrevoteRepeated: (locked, cut, validView) =>
    locked === undefined || locked.view <= validView || equalBytes(locked.id, cut),
  isProven: (prevotes, quorum) => prevotes >= quorum,
  mayPrecommit: (hasBody) => hasBody,
  jumpTo: (highest, faulty) => highest[faulty] ?? -1,
  commitViews: (views) => views,
  viewTimeout: (base, growth, view) => base + view * growth,
  // The median, so that fewer than half of the proposers cannot stretch it; what it misses, the growth makes up for.
  voteTimeout: (set, seen) =>
    seen.length === 0
      ? set
      : Math.min(Math.max(4 * lowerMedian(seen), set / DEADLINE_RANGE), set * DEADLINE_RANGE),
  // The slowest, so that nobody who kept up is cut off.
  gatherDeadline(set, seen, doubled) {
    const longest = set * 2 ** doubled
    if (seen.length < GATHERED_MIN) return longest
    return Math.min(Math.max(2 * Math.max(...seen), set / DEADLINE_RANGE), longest)
  },
  idFields: (fields) => fields,
  mayAttest: equalBytes,
  attestedAlike: (body) => body,
  mayGoOnFrom: (isSealed) => isSealed,
  convicts: (samePlace, samePayload) => samePlace && !samePayload,
  isAdmitted: (admits, quorum) => admits >= quorum,
  joinsAtMost: (faulty) => Math.max(1, faulty),
  isSpent: (spent, id) => spent.some((one) => equalBytes(one.id, id)),
  isSeal: (attestations, quorum) => attestations >= quorum,
  syncGives: (lacked) => lacked,
  keepsMore: (kept) => kept < DISTINCT_MAX,
  keepsEarly: (kept) => kept < EARLY_MAX,
  isRetained: (sealedRound, round, retain) => sealedRound >= round - retain,
  keepsSilent: (round, silentThrough) => round <= silentThrough,
  isSigned: (verify, peer, message, signature) => verify(peer, message, signature),
  isOfParent: equalBytes,
  signerIndex: (members, peer) => members.findIndex((member) => equalBytes(member.peer, peer))
}
