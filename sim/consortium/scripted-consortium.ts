import type { Charter } from '../../src/protocol/charter/charter.ts'
import type { RevealChain } from '../../src/protocol/charter/reveal-chain.ts'
import { type Environment, restore, type Step, start, step } from '../../src/protocol/machine.ts'
import type { Body, Certificate, Cut } from '../../src/protocol/messages/bodies.ts'
import type { Kind } from '../../src/protocol/messages/header.ts'
import { isKind, judge } from '../../src/protocol/messages/judge.ts'
import { decodeEnvelope, type Message, signMessage } from '../../src/protocol/messages/message.ts'
import { genesisContext, type RoundContext } from '../../src/protocol/round/context.ts'
import { proposerOf } from '../../src/protocol/round/proposer.ts'
import type { Effect, LogRecord } from '../../src/protocol/state/effects.ts'
import type { PeerEvent } from '../../src/protocol/state/events.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import { idealSigner, verifyIdeal } from './ideal-signatures.ts'
import { simulatedConsortium, simulatedManifest } from './simulated-consortium.ts'

/** A consortium in its first round, whose members send what a test tells them to. */
export class ScriptedConsortium {
  readonly context: RoundContext
  readonly chains: readonly RevealChain[]

  constructor(members: number, changes: Partial<Charter> = {}) {
    const { signed, chains } = simulatedConsortium(members, changes)
    this.context = genesisContext(signed)
    this.chains = chains
  }

  environment(member: number): Environment {
    return { signer: idealSigner(this.context.members[member]!.peer), verify: verifyIdeal }
  }

  /** A message that `author` signs, after the envelope check. */
  said<K extends Kind>(
    author: number,
    kind: K,
    slot: number,
    body: Body<K>,
    context = this.context
  ): Message<K> {
    const { bytes } = signMessage(context, this.environment(author).signer, kind, slot, body)
    const judgement = judge(context, decodeEnvelope(bytes), verifyIdeal)
    if (judgement.verdict !== 'accept' || !isKind(judgement.message, kind))
      throw new Error(`the envelope check says: ${JSON.stringify(judgement)}`)
    return judgement.message
  }

  /** The message decoded from bytes, after the envelope check. */
  read(bytes: Uint8Array): Message {
    const judgement = judge(this.context, decodeEnvelope(bytes), verifyIdeal)
    if (judgement.verdict !== 'accept')
      throw new Error(`the envelope check says: ${JSON.stringify(judgement)}`)
    return judgement.message
  }

  manifest(author: number, changes: Partial<Body<'manifest'>> = {}): Message<'manifest'> {
    const body = simulatedManifest(this.context, author, this.chains[author]!)
    return this.said(author, 'manifest', 0, { ...body, ...changes })
  }

  certificate(manifest: Message<'manifest'>, endorsers = firsts(this.context.quorum)): Certificate {
    const body = { manifest: manifest.id }
    const endorsements = endorsers.map((member) => ({
      member,
      signature: this.said(member, 'endorsement', manifest.author, body).signature
    }))
    return { author: manifest.author, manifest: manifest.id, endorsements }
  }

  /** The cut of these manifests, which are in the order of their authors. */
  cut(manifests: readonly Message<'manifest'>[]): Cut {
    const entries = manifests.map(({ header, id }) => ({ author: header.author, manifest: id }))
    return { entries, membership: [], evidence: [] }
  }

  ready(member: number, certified: readonly number[]): Message<'ready'> {
    const bitmap = new Uint8Array(Math.ceil(this.context.members.length / 8))
    for (const author of certified) bitmap[author >> 3]! |= 1 << (author & 7)
    return this.said(member, 'ready', 0, { certified: bitmap })
  }

  /** A fresh proposal of the view's proposer, carrying readies that all name the same authors. */
  proposal(view: number, cut: Cut, readies = firsts(this.context.quorum)): Message<'proposal'> {
    const authors = cut.entries.map(({ author }) =>
      this.context.members.findIndex(({ peer }) => Buffer.compare(peer, author) === 0)
    )
    const carried = readies.map((member) => {
      const { body, signature } = this.ready(member, authors)
      return { member, certified: body.certified, signature }
    })
    return this.said(this.proposer(view), 'proposal', view, { cut, validView: -1, readies: carried })
  }

  proposer(view: number): number {
    return proposerOf(this.context, view)
  }

  /** The first view from `from` on in which `member` proposes. */
  viewOf(member: number, from = 0): number {
    for (let view = from; ; view++) if (this.proposer(view) === member) return view
  }

  sit(member: number): Seat {
    return this.sitIn(this.environment(member))
  }

  /** Starts a member with the given environment. */
  sitIn(environment: Environment): Seat {
    return new Seat(environment, start(this.context, environment))
  }

  /** Restarts a member from its log. */
  sitAgain(member: number, log: readonly LogRecord[], context = this.context, heldBack = false): Seat {
    const environment = this.environment(member)
    return new Seat(environment, restore(context, log, environment, heldBack), [...log])
  }
}

/** One member's software: the events that a test feeds in, and the effects so far. */
export class Seat {
  state: PeerState
  readonly effects: Effect[] = []
  readonly log: LogRecord[]
  readonly #environment: Environment

  constructor(environment: Environment, begun: Step, log: LogRecord[] = []) {
    this.#environment = environment
    this.log = log
    this.state = begun.state
    this.#note(begun)
  }

  /** Applies an event and returns its effects. */
  take(event: PeerEvent): readonly Effect[] {
    const next = step(this.state, event, this.#environment)
    this.state = next.state
    this.#note(next)
    return next.effects
  }

  #note({ effects }: Step): void {
    this.effects.push(...effects)
    for (const effect of effects) if (effect.type === 'persist') this.log.push(effect.record)
  }

  hear(...messages: readonly Message[]): void {
    for (const message of messages) this.take({ type: 'message', message })
  }

  learn(...certificates: readonly Certificate[]): void {
    for (const certificate of certificates)
      this.take({ type: 'certificate', round: this.state.context.round, certificate })
  }

  timeout(timer: string): void {
    this.take({ type: 'timeout', round: this.state.context.round, timer })
  }

  /** Reports that every block of a manifest is held. */
  holds({ id }: Message<'manifest'>, fault?: string): void {
    this.take({ type: 'blocksHeld', manifest: id, fault })
  }

  /** Its broadcasts of a kind, oldest first. */
  said<K extends Kind>(kind: K): Message<K>[] {
    return this.done('broadcast').flatMap(({ message }) => (isKind(message, kind) ? [message] : []))
  }

  /** Effects of a type, oldest first. */
  done<T extends Effect['type']>(type: T): Extract<Effect, { type: T }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type)
  }
}

/** 0 … count − 1. */
export function firsts(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
