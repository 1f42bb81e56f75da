import { createHash } from 'node:crypto'
import { equalBytes, hex } from '../../src/protocol/bytes.ts'
import type { Charter } from '../../src/protocol/charter.ts'
import { isVoid } from '../../src/protocol/identifiers.ts'
import type { Cut } from '../../src/protocol/messages/bodies.ts'
import { isValidCertificate, judge } from '../../src/protocol/messages/judge.ts'
import { decodeEnvelope, type Message } from '../../src/protocol/messages/message.ts'
import type { RevealChain } from '../../src/protocol/reveal-chain.ts'
import type { Effect, LogRecord } from '../../src/protocol/round/effects.ts'
import type { PeerEvent } from '../../src/protocol/round/events.ts'
import type { PeerState } from '../../src/protocol/round/state.ts'
import { type Environment, restore, type Step, start, step } from '../../src/protocol/round/step.ts'
import { genesisContext, memberIndex, type RoundContext } from '../../src/protocol/round-context.ts'
import { decodeSealedRound, encodeSealedRound } from '../../src/protocol/sealed-round.ts'
import { answerSync, decodeSyncRequest, encodeSyncRequest, syncRequest } from '../../src/protocol/sync.ts'
import { idealSigner, verifyIdeal } from './ideal-signatures.ts'
import { lies } from './liar.ts'
import { SeededRandom } from './seeded-random.ts'
import { simulatedConsortium, simulatedManifest } from './simulated-consortium.ts'
import { Watch } from './watch.ts'

/** What a run is made of; together with the seed it says everything. */
export interface Scenario {
  readonly members: number
  readonly seed: number
  readonly rounds: number
  /** One-way delay of a message, milliseconds. */
  readonly delay: readonly [number, number]
  /** Probability that a gossiped message is lost on its way to one peer. */
  readonly loss: number
  /** Members that crash in every round, between any two effects, and come back from their log after a while. */
  readonly crashes?: number
  /** Members that run as two live copies of one identity. */
  readonly twins?: number
  /** Until then, milliseconds, nothing passes between members of even and of odd index. */
  readonly partedUntil?: number
  /** Members that never say anything. */
  readonly silent?: number
  /** Members that tell everybody something else. */
  readonly liars?: number
  /** Members that endorse without fetching, and serve their own blocks to one other member only. */
  readonly withholders?: number
  /** One crash: of this member, right after its nth (from 1) effect of this type. */
  readonly crashAfter?: { readonly member: number; readonly type: Effect['type']; readonly nth: number }
  readonly timeouts?: Partial<Charter['timeouts']>
}

const SYNC_EVERY_MS = 400
const VIRTUAL_TIME_MAX_MS = 3_600_000
const FETCH_RETRY_MS = 100
/** Effects after which a member that is to crash does so at the latest, unless time comes first. */
const CRASH_EFFECTS_MAX = 40

/** How a member behaves. */
type Manner = 'honest' | 'twin' | 'liar' | 'withholder'

/** A copy of a member's software: its state, its log and what it sealed. */
interface Copy {
  readonly name: string
  readonly member: number
  readonly manner: Manner
  readonly environment: Environment
  readonly log: LogRecord[]
  readonly sealed: Map<number, { bytes: Uint8Array; id: string; cut: Cut }>
  context: RoundContext
  state: PeerState | undefined
  /** Grows with every crash: what was under way before it is lost. */
  life: number
  /** Effects that are still carried out before a crash. */
  effectsLeft: number
}

/** A consortium in virtual time: every step of every member, in an order that the seed alone decides. */
export class SimulatedNetwork {
  readonly copies: Copy[] = []
  readonly violations: string[] = []
  readonly #random: SeededRandom
  readonly #chains: RevealChain[]
  readonly #queue: { at: number; order: number; run: () => void }[] = []
  readonly #scenario: Scenario
  readonly #watch: Watch
  /** Who has all blocks of a manifest and serves them, by its id in hex. */
  readonly #holders = new Map<string, Set<Copy>>()
  #counted = 0
  #order = 0
  now = 0

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.#random = new SeededRandom(scenario.seed)
    const { signed: template } = simulatedConsortium(scenario.members)
    const timeouts = { ...template.charter.timeouts, ...scenario.timeouts }
    const { signed, chains } = simulatedConsortium(scenario.members, { timeouts })
    this.#chains = chains
    this.#watch = new Watch(this.violations)
    const context = genesisContext(signed)
    const { silent = 0, twins = 0, liars = 0, withholders = 0 } = scenario
    const manners: Manner[] = [
      ...new Array<Manner>(twins).fill('twin'),
      ...new Array<Manner>(liars).fill('liar'),
      ...new Array<Manner>(withholders).fill('withholder')
    ]
    for (let member = silent; member < scenario.members; member++) {
      const manner = manners[member - silent] ?? 'honest'
      for (let copy = 0; copy < (manner === 'twin' ? 2 : 1); copy++)
        this.#addCopy(context, member, copy, manner)
    }
  }

  /** Members who keep the rules. */
  get honest(): Copy[] {
    return this.copies.filter(({ manner }) => manner === 'honest')
  }

  /** Runs until every honest member sealed all rounds; false when virtual time ran out before. */
  run(): boolean {
    for (const copy of this.copies) {
      this.#carryOut(copy, start(copy.context, copy.environment))
      this.#later(this.#random.between(0, SYNC_EVERY_MS), () => this.#sync(copy))
    }
    while (this.honest.some((copy) => copy.sealed.size < this.#scenario.rounds)) {
      const next = this.#queue.shift()
      if (next === undefined || next.at > VIRTUAL_TIME_MAX_MS) return false
      this.now = next.at
      next.run()
    }
    return true
  }

  #addCopy(context: RoundContext, member: number, copy: number, manner: Manner): void {
    const environment = { signer: idealSigner(context.members[member]!.peer), verify: verifyIdeal }
    this.copies.push({
      name: `${member}${copy === 0 ? '' : "'"}`,
      member,
      manner,
      environment,
      log: [],
      sealed: new Map(),
      context,
      state: undefined,
      life: 0,
      effectsLeft: Number.POSITIVE_INFINITY
    })
  }

  #later(milliseconds: number, run: () => void): void {
    const entry = { at: this.now + milliseconds, order: this.#order++, run }
    let low = 0
    let high = this.#queue.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#queue[middle]!.at <= entry.at) low = middle + 1
      else high = middle
    }
    this.#queue.splice(low, 0, entry)
  }

  #event(copy: Copy, event: PeerEvent): void {
    if (copy.state !== undefined) this.#carryOut(copy, step(copy.state, event, copy.environment))
  }

  /** Lets something happen to this life of a copy after a while. */
  #happen(copy: Copy, milliseconds: number, event: PeerEvent): void {
    const { life } = copy
    this.#later(milliseconds, () => copy.life === life && this.#event(copy, event))
  }

  #carryOut(copy: Copy, { state, effects }: Step): void {
    copy.state = state
    for (const effect of effects) {
      if (copy.effectsLeft-- <= 0) {
        this.#crash(copy)
        return
      }
      this.#effect(copy, effect)
      const planned = this.#scenario.crashAfter
      if (planned?.member === copy.member && planned.type === effect.type && ++this.#counted === planned.nth)
        copy.effectsLeft = 0
    }
  }

  #effect(copy: Copy, effect: Effect): void {
    const random = this.#random
    switch (effect.type) {
      case 'persist':
        copy.log.push(effect.record)
        break
      case 'broadcast':
        if (copy.manner === 'honest') this.#watch.broadcast(copy.name, effect.message)
        for (const other of this.copies) {
          if (other === copy || this.#areParted(copy, other)) continue
          const said =
            copy.manner === 'liar'
              ? lies(copy.state!, copy.environment.signer, effect.message, random)
              : [effect.message.bytes]
          for (const bytes of said) this.#send(other, bytes)
        }
        break
      case 'fetch':
        this.#fetch(copy, effect.message)
        break
      case 'train': {
        const manifest = simulatedManifest(
          effect.context,
          memberIndex(effect.context, copy.environment.signer.peer),
          this.#chains[copy.member]!
        )
        this.#happen(copy, random.between(100, 4_000), {
          type: 'trained',
          round: effect.context.round,
          manifest
        })
        if (copy.member >= this.#scenario.members - (this.#scenario.crashes ?? 0)) this.#crashSoon(copy)
        break
      }
      case 'timer':
        this.#happen(copy, effect.milliseconds, { type: 'timeout', round: effect.round, timer: effect.timer })
        break
      case 'build': {
        const model = isVoid(effect.cut) ? effect.context.modelDigest : sha256(effect.cutId)
        const stack = isVoid(effect.cut) ? null : sha256(model)
        this.#happen(copy, random.between(5, 50), { type: 'built', cut: effect.cutId, stack, model })
        break
      }
      case 'certified':
        if (copy.manner === 'honest') this.#watch.certified(copy.state!.context.round, effect.certificate)
        break
      case 'sealed':
        this.#checkSeal(copy, effect)
        break
      case 'halt':
        // A liar's own software may well stop when its lies come back to it.
        if (copy.manner !== 'liar') this.violations.push(`${copy.name} halted: ${effect.reason}`)
        break
      case 'equivocation':
        if (
          this.honest.some(({ environment }) =>
            equalBytes(environment.signer.peer, effect.first.header.author)
          )
        )
          this.violations.push(`honest member ${effect.first.author} signed two ${effect.first.kind}s`)
        break
    }
  }

  #checkSeal(copy: Copy, { context, sealedRound }: Extract<Effect, { type: 'sealed' }>): void {
    const { round } = context
    if (copy.manner === 'honest') this.#watch.sealed(context, sealedRound.cut)
    const id = hex(sealedRound.seal.cut) + hex(sealedRound.seal.model)
    for (const other of this.honest) {
      const theirs = other.sealed.get(round)
      if (theirs !== undefined && theirs.id !== id)
        this.violations.push(`round ${round}: ${copy.name} and ${other.name} sealed differently`)
    }
    copy.sealed.set(round, { bytes: encodeSealedRound(sealedRound), id, cut: sealedRound.cut })
    copy.context = copy.state!.context
  }

  #areParted(from: Copy, to: Copy): boolean {
    return this.now < (this.#scenario.partedUntil ?? 0) && from.member % 2 !== to.member % 2
  }

  #send(to: Copy, bytes: Uint8Array): void {
    if (this.#random.chance(this.#scenario.loss)) return
    this.#later(this.#random.between(...this.#scenario.delay), () => this.#receive(to, bytes))
  }

  #receive(to: Copy, bytes: Uint8Array): void {
    if (to.state === undefined) return
    const envelope = decodeEnvelope(bytes)
    const judgement = judge(to.state.context, envelope, verifyIdeal)
    if (judgement.verdict === 'accept') this.#event(to, { type: 'message', message: judgement.message })
    if (judgement.verdict === 'early')
      this.#event(to, { type: 'early', author: envelope.header.author, bytes })
    const isHonest = this.honest.some(({ environment }) =>
      equalBytes(environment.signer.peer, envelope.header.author)
    )
    if (judgement.verdict === 'reject' && isHonest)
      this.violations.push(`a message was rejected: ${judgement.reason}`)
  }

  #sync(copy: Copy): void {
    this.#later(SYNC_EVERY_MS, () => this.#sync(copy))
    const other = this.copies[this.#random.between(0, this.copies.length - 1)]!
    if (
      copy.state === undefined ||
      other.state === undefined ||
      other === copy ||
      this.#areParted(copy, other)
    )
      return
    const request = decodeSyncRequest(encodeSyncRequest(syncRequest(copy.state)))
    const sealed = other.sealed.get(request.round)
    if (sealed !== undefined) {
      const sealedRound = decodeSealedRound(copy.state.context, sealed.bytes, verifyIdeal)
      this.#event(copy, { type: 'sealedRound', sealedRound })
      return
    }
    const { certificates, messages } = answerSync(other.state, request)
    const { context } = copy.state
    for (const certificate of certificates) {
      if (!isValidCertificate(context, certificate, verifyIdeal))
        this.violations.push('a certificate is not valid')
      this.#event(copy, { type: 'certificate', round: request.round, certificate })
    }
    for (const bytes of messages) this.#receive(copy, bytes)
  }

  /** Gets blocks from whoever has them and serves them, as often as it takes. */
  #fetch(copy: Copy, manifest: Message<'manifest'>): void {
    const { life } = copy
    const id = hex(manifest.id)
    const holders = this.#holders.get(id) ?? new Set()
    this.#holders.set(id, holders)
    const attempt = () => {
      if (copy.life !== life) return
      const isOwn = isBy(copy, manifest)
      const isServed =
        this.copies.some((other) => isBy(other, manifest) && other.manner === 'liar') ||
        [...holders].some((holder) => !this.#areParted(copy, holder) && servesTo(holder, copy))
      if (!isOwn && !isServed && copy.manner !== 'withholder') return this.#later(FETCH_RETRY_MS, attempt)
      if (isOwn || copy.manner !== 'withholder') holders.add(copy)
      this.#event(copy, { type: 'blocksHeld', manifest: manifest.id, fault: undefined })
    }
    this.#later(this.#random.between(5, 100), attempt)
  }

  /** Lets a member crash within this round: at some time, or in the middle of carrying effects out. */
  #crashSoon(copy: Copy): void {
    const { life } = copy
    copy.effectsLeft = this.#random.between(1, CRASH_EFFECTS_MAX)
    this.#later(this.#random.between(0, 6_000), () => copy.life === life && this.#crash(copy))
  }

  #crash(copy: Copy): void {
    copy.life++
    copy.state = undefined
    copy.effectsLeft = Number.POSITIVE_INFINITY
    this.#later(this.#random.between(100, 20_000), () => {
      this.#carryOut(copy, restore(copy.context, copy.log, copy.environment))
    })
  }
}

function isBy({ environment }: Copy, { header }: Message): boolean {
  return equalBytes(environment.signer.peer, header.author)
}

/** A withholder serves its own blocks, the only ones it has, to the member after it. */
function servesTo(holder: Copy, asker: Copy): boolean {
  return holder.manner !== 'withholder' || asker.member === holder.member + 1
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}
