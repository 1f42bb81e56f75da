import { bitsOf, compareBytes, equalBytes, hex } from '../../src/protocol/bytes.ts'
import { cutId, isVoid } from '../../src/protocol/identifiers.ts'
import type { Certificate } from '../../src/protocol/messages/bodies.ts'
import { isKind } from '../../src/protocol/messages/judge.ts'
import type { Message } from '../../src/protocol/messages/message.ts'
import type { PeerState } from '../../src/protocol/round/state.ts'
import type { RoundContext } from '../../src/protocol/round-context.ts'
import type { SealedRound } from '../../src/protocol/sealed-round.ts'

/** What must never happen, by name. */
export type Invariant =
  | 'agreement'
  | 'seal-agreement'
  | 'certified-only'
  | 'one-certificate'
  | 'union'
  | 'void'
  | 'equivocation'
  | 'forgery'
  | 'membership'
  | 'parent'
  | 'evidence'
  | 'bounds'
  | 'halt'
  | 'rejected'
  | 'throw'
  | 'stall'

export interface Violation {
  readonly invariant: Invariant
  readonly text: string
}

/** Most messages that a state may hold of one author and kind for every view that was reached (rule 15, two each). */
const KEPT_A_SLOT = 2

/**
 * Sees all that the honest members say, take in and do, which no member does, and notes what must never happen. It knows
 * the protocol's promises, not its code, and nothing of which rule may be broken.
 */
export class Watch {
  readonly violations: Violation[] = []
  /** Ids of what honest members said, by person, round, kind and slot. */
  readonly #said = new Map<string, string>()
  readonly #certified = new Map<string, string>()
  readonly #committed = new Map<number, string>()
  readonly #sealed = new Map<number, string>()
  /** Who was named in a round's readies by how many honest members. */
  readonly #named = new Map<number, Map<number, Set<number>>>()
  readonly #honest: ReadonlyMap<string, number>

  /** @param honest people who keep the rules, by PeerId in hex */
  constructor(honest: ReadonlyMap<string, number>) {
    this.#honest = honest
  }

  note(invariant: Invariant, text: string): void {
    this.violations.push({ invariant, text })
  }

  /** Rules 1, 3, 5 and 8: one word in each place, before and after a crash. */
  said(person: number, message: Message): void {
    const { kind, slot, header } = message
    const key = `${person} ${header.round} ${kind}/${slot}`
    const before = this.#said.get(key)
    const id = hex(message.id)
    if (before !== undefined && before !== id)
      this.note('equivocation', `${person} said two things in ${kind}/${slot} of round ${header.round}`)
    this.#said.set(key, id)
    if (isKind(message, 'ready')) {
      const named = this.#named.get(header.round) ?? new Map<number, Set<number>>()
      for (const author of bitsOf(message.body.certified))
        named.set(author, (named.get(author) ?? new Set()).add(person))
      this.#named.set(header.round, named)
    }
  }

  /** What an honest member took in as true: nobody else can speak for an honest one, or for another round. */
  accepted(name: string, context: RoundContext, message: Message): void {
    const { header, kind, slot } = message
    if (!context.members.some(({ peer }) => equalBytes(peer, header.author)))
      this.note(
        'membership',
        `${name} took in a ${kind} of somebody who is no member of round ${header.round}`
      )
    if (!equalBytes(header.parent, context.parent))
      this.note('parent', `${name} took in a ${kind} of round ${header.round} that builds on another parent`)
    const person = this.#honest.get(hex(header.author))
    if (
      person !== undefined &&
      this.#said.get(`${person} ${header.round} ${kind}/${slot}`) !== hex(message.id)
    )
      this.note('forgery', `${name} took in a ${kind}/${slot} that honest member ${person} never said`)
  }

  /** Rule 1: a quorum of members said so, and never for two manifests of one author. */
  certified(name: string, context: RoundContext, { author, manifest, endorsements }: Certificate): void {
    const key = `${context.round} ${author}`
    const before = this.#certified.get(key)
    if (before !== undefined && before !== hex(manifest))
      this.note('one-certificate', `two manifests of ${author} were certified in round ${context.round}`)
    this.#certified.set(key, hex(manifest))
    if (new Set(endorsements.map(({ member }) => member)).size < safeQuorum(context.voters.length))
      this.note('certified-only', `${name} holds a certificate of ${author} without a quorum`)
  }

  /** Agreement on the cut; what is in it is certified, and what enough members named is in it. */
  committed(name: string, { context, committed }: PeerState): void {
    if (committed === undefined) return
    const { round } = context
    const before = this.#committed.get(round)
    if (before !== undefined && before !== hex(committed.id))
      this.note('agreement', `round ${round}: ${name} committed another cut than others`)
    if (before !== undefined) return
    this.#committed.set(round, hex(committed.id))
    const { cut } = committed
    if (!equalBytes(cutId(context, cut), committed.id)) this.note('agreement', 'a cut has another id')
    if (cut.entries.length > 0 && cut.entries.length < context.charter.minShards)
      this.note('void', `round ${round} stacks ${cut.entries.length} shards, fewer than minShards`)
    const authors = cut.entries.map(({ author }) => author)
    if (authors.some((author, index) => index > 0 && compareBytes(authors[index - 1]!, author) >= 0))
      this.note('certified-only', `the cut of round ${round} names an author twice`)
    for (const entry of cut.entries) {
      const author = context.members.findIndex(({ peer }) => equalBytes(peer, entry.author))
      if (this.#certified.get(`${round} ${author}`) !== hex(entry.manifest))
        this.note(
          'certified-only',
          `round ${round} stacks a manifest of ${author} that nobody honest saw certified`
        )
    }
    if (!isVoid(cut)) this.#checkUnion(context, cut.entries)
  }

  /** Rule 4: what n − q + 1 honest members named is in the cut. */
  #checkUnion(context: RoundContext, entries: readonly { author: Uint8Array }[]): void {
    const { round, members } = context
    for (const [author, named] of this.#named.get(round) ?? []) {
      const isIn = entries.some((entry) => equalBytes(entry.author, members[author]!.peer))
      if (!isIn && named.size > members.length - safeQuorum(members.length))
        this.note('union', `${author} was kept out of round ${round}, though ${named.size} members named it`)
    }
  }

  /** Agreement on the seal, and on the context after it. */
  sealed(name: string, context: RoundContext, { seal, cut }: SealedRound, next: RoundContext): void {
    const { round } = context
    const id = [seal.cut, seal.stack ?? new Uint8Array(), seal.model, next.parent].map(hex).join(' ')
    const before = this.#sealed.get(round)
    if (before !== undefined && before !== id)
      this.note('seal-agreement', `round ${round}: ${name} sealed something else than others`)
    this.#sealed.set(round, id)
    if (new Set(seal.attestations.map(({ member }) => member)).size < safeQuorum(context.voters.length))
      this.note('seal-agreement', `round ${round}: the seal of ${name} is no quorum`)
    if ((isVoid(cut) || seal.stack === null) && !equalBytes(seal.model, context.modelDigest))
      this.note('void', `round ${round} was void and changed the model`)
  }

  /** Rule 10: nobody honest is ever accused. */
  accused(name: string, first: Message, second: Message): void {
    const person = this.#honest.get(hex(first.header.author))
    if (person !== undefined)
      this.note('evidence', `${name} holds ${first.kind} and ${second.kind} against honest member ${person}`)
  }

  /** Rule 15: memory and log stay within what the members, and the views that were really reached, explain. */
  bounded(name: string, state: PeerState, records: number): void {
    const members = state.context.members.length
    let messages = 0
    for (const [key, slot] of state.messages) {
      for (const [author, kept] of slot) {
        messages += kept.length
        if (kept.length > KEPT_A_SLOT)
          this.note('bounds', `${name} keeps ${kept.length} messages of member ${author} in ${key}`)
      }
    }
    const views = Math.max(0, state.view) + 2
    const most = KEPT_A_SLOT * members * (1 + members + 1 + 3 * (views + 1) + 16)
    if (messages > most) this.note('bounds', `${name} keeps ${messages} messages, more than ${most}`)
    const mostRecords = 2 * (2 + members + 4 * views + 16)
    if (records > mostRecords) this.note('bounds', `the log of ${name} has ${records} records`)
  }
}

/** ⌊(n+f)/2⌋ + 1, written again: the checker takes nothing from the rules that it checks. */
export function safeQuorum(members: number): number {
  return Math.floor((members + Math.floor((members - 1) / 3)) / 2) + 1
}
