import { createHash } from 'node:crypto'
import { hex } from '../../src/protocol/bytes.ts'
import { isVoid } from '../../src/protocol/identifiers.ts'
import { isValidCertificate, judge } from '../../src/protocol/messages/judge.ts'
import { decodeEnvelope } from '../../src/protocol/messages/message.ts'
import type { RevealChain } from '../../src/protocol/reveal-chain.ts'
import type { Effect, LogRecord } from '../../src/protocol/round/effects.ts'
import type { PeerEvent } from '../../src/protocol/round/events.ts'
import { restore } from '../../src/protocol/round/restore.ts'
import type { PeerState } from '../../src/protocol/round/state.ts'
import { type Environment, type Step, start, step } from '../../src/protocol/round/step.ts'
import { genesisContext, type RoundContext } from '../../src/protocol/round-context.ts'
import { decodeSealedRound, encodeSealedRound } from '../../src/protocol/sealed-round.ts'
import { answerSync, decodeSyncRequest, encodeSyncRequest, syncRequest } from '../../src/protocol/sync.ts'
import { idealSigner, verifyIdeal } from './ideal-signatures.ts'
import { SeededRandom } from './seeded-random.ts'
import { simulatedConsortium, simulatedManifest } from './simulated-consortium.ts'

/** What a run is made of; together with the seed it says everything. */
export interface Scenario {
  readonly members: number
  readonly seed: number
  readonly rounds: number
  /** One-way delay of a message, milliseconds. */
  readonly delay: readonly [number, number]
  /** Probability that a gossiped message is lost on its way to one peer. */
  readonly loss: number
  /** Members that crash in every round at a random moment and come back from their log after a while. */
  readonly crashes?: number
  /** Members that run as two live copies of one identity. */
  readonly twins?: number
  /** Until then, milliseconds, nothing passes between members of even and of odd index. */
  readonly partedUntil?: number
  /** Members that never say anything. */
  readonly silent?: number
}

const SYNC_EVERY_MS = 400
const VIRTUAL_TIME_MAX_MS = 3_600_000

/** A copy of a member's software: its state, its log and what it sealed. */
interface Copy {
  readonly name: string
  readonly member: number
  readonly environment: Environment
  readonly log: LogRecord[]
  readonly sealed: Map<number, { bytes: Uint8Array; id: string }>
  context: RoundContext
  state: PeerState | undefined
  /** Grows with every crash: what was under way before it is lost. */
  life: number
}

/** A consortium in virtual time: every step of every member, in an order that the seed alone decides. */
export class SimulatedNetwork {
  readonly copies: Copy[] = []
  readonly violations: string[] = []
  readonly #random: SeededRandom
  readonly #chains: RevealChain[]
  readonly #queue: { at: number; order: number; run: () => void }[] = []
  readonly #scenario: Scenario
  #order = 0
  now = 0

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.#random = new SeededRandom(scenario.seed)
    const { signed, chains } = simulatedConsortium(scenario.members)
    this.#chains = chains
    const context = genesisContext(signed)
    for (let member = scenario.silent ?? 0; member < scenario.members; member++) {
      const lives = member - (scenario.silent ?? 0) < (scenario.twins ?? 0) ? 2 : 1
      for (let copy = 0; copy < lives; copy++) this.#addCopy(context, member, copy)
    }
  }

  /** Members whose every copy keeps the rules. */
  get honest(): Copy[] {
    return this.copies.filter(
      ({ member }) => this.copies.filter((copy) => copy.member === member).length === 1
    )
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

  #addCopy(context: RoundContext, member: number, copy: number): void {
    const environment = { signer: idealSigner(context.members[member]!.peer), verify: verifyIdeal }
    this.copies.push({
      name: `${member}${copy === 0 ? '' : "'"}`,
      member,
      environment,
      log: [],
      sealed: new Map(),
      context,
      state: undefined,
      life: 0
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
    for (const effect of effects) this.#effect(copy, effect)
  }

  #effect(copy: Copy, effect: Effect): void {
    const random = this.#random
    switch (effect.type) {
      case 'persist':
        copy.log.push(effect.record)
        break
      case 'broadcast':
        for (const other of this.copies)
          if (other !== copy && !this.#areParted(copy, other)) this.#send(other, effect.message.bytes)
        break
      case 'fetch':
        this.#happen(copy, random.between(5, 100), {
          type: 'blocksHeld',
          manifest: effect.message.id,
          fault: undefined
        })
        break
      case 'train': {
        const manifest = simulatedManifest(effect.context, copy.member, this.#chains[copy.member]!)
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
      case 'sealed':
        this.#checkSeal(copy, effect)
        break
      case 'halt':
        this.violations.push(`${copy.name} halted: ${effect.reason}`)
        break
      case 'equivocation':
        if (this.honest.some(({ member }) => member === effect.first.author))
          this.violations.push(`honest member ${effect.first.author} signed two ${effect.first.kind}s`)
        break
    }
  }

  #checkSeal(copy: Copy, { context, sealedRound }: Extract<Effect, { type: 'sealed' }>): void {
    const { round } = context
    const id = hex(sealedRound.seal.cut) + hex(sealedRound.seal.model)
    for (const other of this.honest) {
      const theirs = other.sealed.get(round)
      if (theirs !== undefined && theirs.id !== id)
        this.violations.push(`round ${round}: ${copy.name} and ${other.name} sealed differently`)
    }
    copy.sealed.set(round, { bytes: encodeSealedRound(sealedRound), id })
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
    if (judgement.verdict === 'reject') this.violations.push(`a message was rejected: ${judgement.reason}`)
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
    for (const certificate of certificates) {
      if (!isValidCertificate(copy.state.context, certificate, verifyIdeal))
        this.violations.push('a certificate is not valid')
      this.#event(copy, { type: 'certificate', round: request.round, certificate })
    }
    for (const bytes of messages) this.#receive(copy, bytes)
  }

  #crashSoon(copy: Copy): void {
    const { life } = copy
    this.#later(this.#random.between(0, 6_000), () => {
      if (copy.life !== life) return
      copy.life++
      copy.state = undefined
      this.#later(this.#random.between(100, 20_000), () => {
        this.#carryOut(copy, restore(copy.context, copy.log, copy.environment))
      })
    })
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}
