import { createHash } from 'node:crypto'
import { bitsOf, compareBytes, equalBytes, hex } from '../../src/protocol/encoding/bytes.ts'
import type { SealedRound } from '../../src/protocol/history/sealed-round.ts'
import type { Certificate } from '../../src/protocol/messages/bodies.ts'
import { cutId, isVoid } from '../../src/protocol/messages/cut.ts'
import { isKind } from '../../src/protocol/messages/judge.ts'
import type { Message } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import { proposerOf } from '../../src/protocol/round/proposer.ts'
import type { PeerEvent } from '../../src/protocol/state/events.ts'
import { allSlots, slotOf } from '../../src/protocol/state/slots.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import type { Copy } from '../consortium/copy.ts'
import { Absences } from './absences.ts'
import { Proofs } from './proofs.ts'

/** Invariants, by name. */
export type Invariant =
  | 'agreement'
  | 'seal-agreement'
  | 'certified-only'
  | 'one-certificate'
  | 'union'
  | 'body'
  | 'void'
  | 'equivocation'
  | 'copied'
  | 'forgery'
  | 'membership'
  | 'parent'
  | 'evidence'
  | 'unaccused'
  | 'endorsed'
  | 'model'
  | 'samples'
  | 'reveal'
  | 'spent'
  | 'admitted'
  | 'bounds'
  | 'halt'
  | 'rejected'
  | 'shut-out'
  | 'waited'
  | 'throw'
  | 'stall'

export interface Violation {
  readonly invariant: Invariant
  readonly text: string
}

/** Maximum number of messages that a state may hold per author, kind and reached view (rule 15, two each). */
const KEPT_A_SLOT = 2

/** Maximum number of envelopes of the next round kept per author. */
const EARLY_MAX = 8
/** Maximum number of offenders convicted in one cut. */
const CONVICTED_MAX = 8

/** What the checker remembers of a recent round. */
interface RoundRecord {
  /** Ids of honest members' messages, by person, kind and slot. */
  readonly said: Map<string, string>
  /** Manifests that honest members saw certified, by author. */
  readonly certified: Map<number, string>
  committed: string | undefined
  sealed: string | undefined
  /** Authors named in readies, with the honest members that named them. */
  readonly named: Map<number, Set<number>>
}

/**
 * Sees everything that the honest members send, accept and do, as no member can, and records violated invariants. It
 * knows the protocol's guarantees, not its code, and does not know whether a mutant is running.
 */
export class Watch {
  readonly violations: Violation[] = []
  readonly #rounds = new Map<number, RoundRecord>()
  /** Ids of membership requests that took effect. */
  readonly #fulfilled = new Set<string>()
  readonly #proofs = new Proofs()
  readonly #absences = new Absences()
  readonly #honest: ReadonlyMap<string, number>
  /** Messages already checked, with the parent for which they were accepted. */
  readonly #known = new WeakMap<Message, Uint8Array>()

  /** @param honest people that follow the protocol, by PeerId in hex */
  constructor(honest: ReadonlyMap<string, number>) {
    this.#honest = honest
  }

  note(invariant: Invariant, text: string): void {
    this.violations.push({ invariant, text })
  }

  #round(round: number): RoundRecord {
    const known = this.#rounds.get(round)
    if (known !== undefined) return known
    const record: RoundRecord = {
      said: new Map(),
      certified: new Map(),
      committed: undefined,
      sealed: undefined,
      named: new Map()
    }
    this.#rounds.set(round, record)
    return record
  }

  /** Forgets a round that ended long ago, and all earlier ones. */
  forgetBefore(round: number): void {
    for (const known of this.#rounds.keys()) if (known <= round) this.#rounds.delete(known)
  }

  /** A copy stopped: whatever it knew but had not logged is lost. */
  forgot(copy: Copy): void {
    this.#proofs.forget(copy)
    this.#absences.forget(copy)
  }

  /** A copy leaves a round, in which it last had this state, for another. */
  left(copy: Copy, state: PeerState, next: RoundContext): void {
    this.#absences.left(copy, state, next)
  }

  /** Rule 5: a view whose proposer has not been heard for three rounds, nor in this one, ends without a timer. */
  expired(copy: Copy, state: PeerState, { round, timer }: Extract<PeerEvent, { type: 'timeout' }>): void {
    const { context, view, step, committed, halted } = state
    if (round !== context.round || view < 0 || committed !== undefined || halted !== undefined) return
    const isVain = timer === `propose/${view}` && step === 'propose'
    const isLate = timer === `precommit/${view}` && nullPrecommits(state) >= safeQuorum(context.voters.length)
    if ((isVain || isLate) && this.#absences.isGone(copy, state, proposerOf(context, view)))
      this.note('waited', `${copy.name} waited in view ${view} of round ${round} for a proposer that is gone`)
  }

  /** Rules 1, 3, 5 and 8: one message per kind and slot, before and after a crash. */
  said(copy: Copy, message: Message): void {
    const { kind, slot, header } = message
    const { said, named } = this.#round(header.round)
    const key = `${copy.person} ${kind}/${slot}`
    const before = said.get(key)
    const id = hex(message.id)
    if (before !== undefined && before !== id)
      this.note(
        'equivocation',
        `${copy.person} sent two messages of ${kind}/${slot} in round ${header.round}`
      )
    said.set(key, id)
    if (isKind(message, 'ready')) {
      for (const author of bitsOf(message.body.certified))
        named.set(author, (named.get(author) ?? new Set()).add(copy.person))
    }
    if (isKind(message, 'proposal') && before === undefined) this.#proposed(copy, message)
    if (isKind(message, 'precommit') && before === undefined) this.#precommitted(copy, message)
  }

  /**
   * Rule 17: a copy that has heard a message with its own key that it had not sent signs nothing in that round and the
   * next.
   */
  spoke(copy: Copy, { kind, header, id }: Message): void {
    const word = hex(id)
    if (copy.words.has(word)) return
    copy.words.add(word)
    if (copy.contradictedIn > 0 && header.round <= copy.contradictedIn + 1)
      this.note(
        'copied',
        `${copy.name} signs a ${kind} of round ${header.round}: it has heard a message with its own key of round ${copy.contradictedIn} that is not in its log`
      )
  }

  /** A copy accepted a message signed with its own key. */
  heardOwn(copy: Copy, { header, id }: Message): void {
    if (!copy.words.has(hex(id))) copy.contradictedIn = Math.max(copy.contradictedIn, header.round)
  }

  /** Rule 5: a member that precommits a cut holds it, and can send it to others. */
  #precommitted({ state, name }: Copy, { body, header }: Message<'precommit'>): void {
    if (body.cut === null || state?.context.round !== header.round) return
    const { cut } = body
    if (state.valid === undefined || !equalBytes(state.valid.id, cut))
      this.note('body', `${name} precommitted a cut in round ${header.round} that it does not hold`)
  }

  /** Rule 10: a proposer accuses every member against which it holds proof. */
  #proposed(copy: Copy, { body, header }: Message<'proposal'>): void {
    const context = copy.state?.context
    if (body.validView >= 0 || context?.round !== header.round) return
    const accused = new Set(body.cut.evidence.map(({ first }) => hex(first.header.author)))
    if (accused.size >= CONVICTED_MAX) return
    for (const offender of this.#proofs.against(copy)) {
      const isMember = context.members.some(({ peer }) => hex(peer) === offender)
      if (isMember && offender !== hex(copy.peer) && !accused.has(offender))
        this.note('unaccused', `${copy.name} proposed without the proof that it holds against ${offender}`)
    }
  }

  /** An honest member accepted a message: no other member can send it for an honest one, or for another round. */
  accepted(copy: Copy, state: PeerState, message: Message): void {
    this.#proofs.heard(copy, state, message)
    this.#absences.heard(copy, state, message)
    const { context } = state
    // Most members accept the same messages for the same round.
    if (this.#known.get(message) === context.parent) return
    this.#known.set(message, context.parent)
    const { header, kind, slot } = message
    const { name } = copy
    if (!context.members.some(({ peer }) => equalBytes(peer, header.author)))
      this.note(
        'membership',
        `${name} accepted a ${kind} from a peer that is not a member of round ${header.round}`
      )
    if (!equalBytes(header.parent, context.parent))
      this.note('parent', `${name} accepted a ${kind} of round ${header.round} that builds on another parent`)
    const person = this.#honest.get(hex(header.author))
    if (
      person !== undefined &&
      this.#round(header.round).said.get(`${person} ${kind}/${slot}`) !== hex(message.id)
    )
      this.note('forgery', `${name} accepted a ${kind}/${slot} that honest member ${person} never sent`)
  }

  /** Rule 1: a certificate has a quorum, and no author has two certified manifests. */
  certified(name: string, context: RoundContext, { author, manifest, endorsements }: Certificate): void {
    const { certified } = this.#round(context.round)
    const before = certified.get(author)
    if (before !== undefined && before !== hex(manifest))
      this.note('one-certificate', `two manifests of ${author} were certified in round ${context.round}`)
    certified.set(author, hex(manifest))
    if (new Set(endorsements.map(({ member }) => member)).size < safeQuorum(context.voters.length))
      this.note('certified-only', `${name} holds a certificate of ${author} without a quorum`)
  }

  /** Agreement on the cut; everything in it is certified, and everything that enough members named is in it. */
  committed(name: string, { context, committed }: PeerState): void {
    if (committed === undefined) return
    const { round } = context
    const record = this.#round(round)
    const before = record.committed
    if (before !== undefined && before !== hex(committed.id))
      this.note('agreement', `round ${round}: ${name} committed a different cut from others`)
    if (before !== undefined) return
    record.committed = hex(committed.id)
    const { cut } = committed
    if (!equalBytes(cutId(context, cut), committed.id)) this.note('agreement', 'the id of a cut differs')
    if (cut.entries.length > 0 && cut.entries.length < context.charter.minShards)
      this.note('void', `round ${round} stacks ${cut.entries.length} shards, fewer than minShards`)
    const authors = cut.entries.map(({ author }) => author)
    if (authors.some((author, index) => index > 0 && compareBytes(authors[index - 1]!, author) >= 0))
      this.note('certified-only', `the cut of round ${round} names an author twice`)
    for (const entry of cut.entries) {
      const author = context.members.findIndex(({ peer }) => equalBytes(peer, entry.author))
      if (record.certified.get(author) !== hex(entry.manifest))
        this.note(
          'certified-only',
          `round ${round} stacks a manifest of ${author} that no honest member saw certified`
        )
    }
    this.#checkUnion(context, cut.entries)
  }

  /** Rule 4: what n − q + 1 honest voters named is in the cut, unless these are too few to be stacked. */
  #checkUnion(context: RoundContext, entries: readonly { author: Uint8Array }[]): void {
    const { round, members, voters, charter, trainers } = context
    const many = voters.length - safeQuorum(voters.length)
    const due = [...this.#round(round).named].filter(([, by]) => by.size > many).map(([author]) => author)
    if (entries.length === 0 && due.length < Math.min(charter.minShards, trainers.length)) return
    for (const author of due) {
      if (!entries.some((entry) => equalBytes(entry.author, members[author]!.peer)))
        this.note('union', `${author} was kept out of round ${round}, though more than ${many} named it`)
    }
  }

  /** Agreement on the seal, and on the context after it. */
  sealed(name: string, context: RoundContext, sealedRound: SealedRound, next: RoundContext): void {
    const { seal, cut } = sealedRound
    const { round } = context
    const record = this.#round(round)
    const id = [seal.cut, seal.stack ?? new Uint8Array(), seal.model, next.parent].map(hex).join(' ')
    const before = record.sealed
    if (before !== undefined && before !== id)
      this.note('seal-agreement', `round ${round}: ${name} sealed a different result from others`)
    record.sealed = id
    if (new Set(seal.attestations.map(({ member }) => member)).size < safeQuorum(context.voters.length))
      this.note('seal-agreement', `round ${round}: the seal of ${name} lacks a quorum`)
    if (before !== undefined) return
    if ((isVoid(cut) || seal.stack === null) && !equalBytes(seal.model, context.modelDigest))
      this.note('void', `round ${round} was void and changed the model`)
    this.#checkManifests(context, sealedRound)
    this.#checkMembership(context, sealedRound, next)
  }

  /**
   * Rules 9 and 12: stacked manifests claim no more documents than allowed, and carry the next reveal of their authors'
   * chains.
   */
  #checkManifests({ round, charter, members }: RoundContext, { manifests }: SealedRound): void {
    for (const { author, body } of manifests) {
      if (body.samples < 1 || body.samples > charter.sampleCap)
        this.note('samples', `round ${round} stacks ${body.samples} documents of ${author}`)
      const anchor = createHash('sha256').update(body.reveal).digest()
      if (!equalBytes(anchor, members[author]!.anchor))
        this.note(
          'reveal',
          `round ${round} stacks a manifest of ${author} with a reveal that is not the next`
        )
    }
  }

  /** Rules 10 and 11: who joins and leaves, and with whose signatures. */
  #checkMembership({ round, members }: RoundContext, { cut }: SealedRound, next: RoundContext): void {
    const quorum = safeQuorum(members.length)
    const isMember = new Set(members.map(({ peer }) => hex(peer)))
    let joins = 0
    for (const { request, admits } of cut.membership) {
      const { type, peer, seal, expiry } = request
      const key = [type, expiry, hex(peer), hex(seal)].join(' ')
      if (this.#fulfilled.has(key)) this.note('spent', `round ${round}: a request took effect a second time`)
      this.#fulfilled.add(key)
      if (type !== 'leave' && new Set(admits.map(({ member }) => member)).size < quorum)
        this.note(
          'admitted',
          `round ${round}: a ${type} was signed by ${admits.length}, fewer than ${quorum}`
        )
      if (type === 'join') joins++
      if (type === 'join') isMember.add(hex(peer))
      else isMember.delete(hex(peer))
    }
    if (joins > Math.max(1, Math.floor((members.length - 1) / 3)))
      this.note('admitted', `round ${round} let ${joins} join at once`)
    for (const { first } of cut.evidence) {
      isMember.delete(hex(first.header.author))
      if (this.#honest.has(hex(first.header.author)))
        this.note('evidence', `round ${round} convicted an honest member`)
    }
    const are = new Set(next.members.map(({ peer }) => hex(peer)))
    const isSame = are.size === isMember.size && [...are].every((peer) => isMember.has(peer))
    if (isMember.size > 0 && !isSame)
      this.note('membership', `round ${round + 1} has members that differ from the sealed ones`)
  }

  /** Rule 10: no honest member is ever accused. */
  accused(name: string, first: Message, second: Message): void {
    const person = this.#honest.get(hex(first.header.author))
    if (person !== undefined)
      this.note('evidence', `${name} holds ${first.kind} and ${second.kind} against honest member ${person}`)
  }

  /** Rule 15: memory and log are bounded by the number of members and the views that were actually reached. */
  bounded(name: string, state: PeerState, records: number): void {
    const members = state.context.members.length
    for (const [author, kept] of state.early)
      if (kept.length > EARLY_MAX)
        this.note('bounds', `${name} keeps ${kept.length} envelopes of the next round of ${author}`)
    let messages = 0
    for (const { kind, slot, byAuthor } of allSlots(state)) {
      for (const [author, kept] of byAuthor) {
        messages += kept.length
        if (kept.length > KEPT_A_SLOT)
          this.note('bounds', `${name} keeps ${kept.length} messages of member ${author} in ${kind}/${slot}`)
      }
    }
    const views = Math.max(0, state.view) + 2
    const most = KEPT_A_SLOT * members * (1 + members + 1 + 3 * (views + 1) + 16)
    if (messages > most) this.note('bounds', `${name} keeps ${messages} messages, more than ${most}`)
    const mostRecords = 2 * (2 + members + 4 * views + 16)
    if (records > mostRecords) this.note('bounds', `the log of ${name} has ${records} records`)
  }
}

/** Members of whom a state holds precommits for none in its view, and for nothing else. */
function nullPrecommits(state: PeerState): number {
  const ofMembers = slotOf(state, 'precommit', state.view)?.byAuthor.values()
  return [...(ofMembers ?? [])].filter((kept) => kept.every(({ body }) => body.cut === null)).length
}

/** ⌊(n+f)/2⌋ + 1, repeated here: the checker uses no code of the protocol that it checks. */
export function safeQuorum(members: number): number {
  return Math.floor((members + Math.floor((members - 1) / 3)) / 2) + 1
}
