import { createHash } from 'node:crypto'
import { equalBytes, hex } from '../../src/protocol/bytes.ts'
import { MalformedError } from '../../src/protocol/canonical-cbor.ts'
import { isVoid } from '../../src/protocol/identifiers.ts'
import { isValidCertificate } from '../../src/protocol/messages/judge.ts'
import type { Envelope, Message } from '../../src/protocol/messages/message.ts'
import type { RevealChain } from '../../src/protocol/reveal-chain.ts'
import type { Effect } from '../../src/protocol/round/effects.ts'
import type { PeerEvent } from '../../src/protocol/round/events.ts'
import type { PeerState } from '../../src/protocol/round/state.ts'
import { type Environment, restore, type Step, start, step } from '../../src/protocol/round/step.ts'
import { genesisContext, type RoundContext } from '../../src/protocol/round-context.ts'
import { type RoundRules, soundRules } from '../../src/protocol/round-rules.ts'
import { decodeSealedRound, encodeSealedRound } from '../../src/protocol/sealed-round.ts'
import { createSigner, peerOf, type Signer, verifyEd25519 } from '../../src/protocol/signature.ts'
import { answerSync, decodeSyncRequest, encodeSyncRequest, syncRequest } from '../../src/protocol/sync.ts'
import { pester } from './adversary/pester.ts'
import { utter } from './adversary/utter.ts'
import { type Copy, isAfter, isHonest } from './copy.ts'
import { type Edge, memoisedEdge, plainEdge } from './edge.ts'
import { EventQueue } from './event-queue.ts'
import { idealSigner, verifyIdeal } from './ideal-signatures.ts'
import { patience } from './patience.ts'
import { RoundStage } from './round-stage.ts'
import type { Behaviour, Scenario } from './scenario.ts'
import { SeededRandom } from './seeded-random.ts'
import { digestOf, simulatedConsortium, simulatedManifest } from './simulated-consortium.ts'
import { type Violation, Watch } from './watch.ts'

const FETCH_RETRY_MS = 200
const FETCH_RETRY_MAX_MS = 2_000
const PESTER_EVERY_MS = 700
/** Steps of a copy between two looks at its memory. */
const BOUNDS_EVERY = 64
/** Most steps of a run: more is a loop that virtual time does not end. */
const STEPS_MAX = 20_000_000

/** Looks on; nothing in a run depends on it. */
export interface Observer {
  /** A message that a member broadcasts, at a virtual time in milliseconds. */
  sent?(message: Message, at: number): void
  /** A certificate that an honest member holds for the first time. */
  certified?(round: number, at: number): void
  sealed?(round: number, bytes: Uint8Array, at: number): void
}

/** What came of a run. */
export interface Outcome {
  readonly violations: readonly Violation[]
  /** Rounds that every honest member sealed. */
  readonly rounds: number
  readonly voidRounds: number
  /** Highest view that an honest member reached, and how far a round was from its limit of time, 0 to 1. */
  readonly highestView: number
  readonly strain: number
  readonly virtualMs: number
  readonly steps: number
}

/** A consortium in virtual time: every step of every member, in an order that the scenario alone decides. */
export class Network {
  readonly copies: Copy[] = []
  readonly #scenario: Scenario
  readonly #observer: Observer
  readonly #queue = new EventQueue()
  readonly #random: SeededRandom
  readonly #chains: readonly RevealChain[]
  readonly #watch: Watch
  readonly #edge: Edge
  readonly #stages = new Map<number, RoundStage>()
  readonly #outsider: Signer
  /** Who has all blocks of a manifest, by its id in hex. */
  readonly #holders = new Map<string, Set<Copy>>()
  /** States between which sync had nothing more to give. */
  readonly #even = new WeakMap<PeerState, WeakSet<PeerState>>()
  readonly #finished = new Map<number, Set<Copy>>()
  #steps = 0
  #highestView = -1
  #strain = 0
  #voidRounds = 0
  #done = 0

  /**
   * @param rules of the honest members; broken ones where the simulator is to show that it sees it
   * @param observer of what is sent and reached, for measurements
   */
  constructor(scenario: Scenario, rules: RoundRules = soundRules, observer: Observer = {}) {
    this.#scenario = scenario
    this.#observer = observer
    this.#random = new SeededRandom(scenario.seed)
    const isReal = scenario.signatures === 'real'
    const verify = isReal ? verifyEd25519 : verifyIdeal
    this.#edge = isReal ? plainEdge(verify) : memoisedEdge(verify)
    const signerOf = (index: number | 'outsider') => {
      const secret = digestOf(`key ${scenario.seed} ${index}`)
      return isReal ? createSigner(secret) : idealSigner(peerOf(secret))
    }
    const { signed, chains, signers } = simulatedConsortium(
      scenario.members,
      {
        name: `simulated ${scenario.seed}`,
        minShards: scenario.minShards,
        timeouts: scenario.timeouts,
        ...scenario.charter
      },
      signerOf
    )
    this.#chains = chains
    this.#outsider = signerOf('outsider')
    const context = genesisContext(signed, rules)
    const faulty = new Map(scenario.faulty.map(({ member, behaviours }) => [member, new Set(behaviours)]))
    for (const [person, signer] of signers.entries()) {
      const behaviours = faulty.get(person) ?? new Set<Behaviour>()
      for (const twin of behaviours.has('twin') ? ([0, 1] as const) : ([0] as const)) {
        this.copies.push({
          name: `${person}${twin === 0 ? '' : "'"}`,
          person,
          twin,
          peer: signer.peer,
          isFaulty: faulty.has(person),
          behaviours,
          environment: { signer, verify, rules },
          clock: scenario.clocks[person] ?? 1,
          log: [],
          sealed: new Map(),
          context,
          state: undefined,
          life: 0,
          effects: 0
        })
      }
    }
    this.#watch = new Watch(new Map(this.honest.map(({ peer, person }) => [hex(peer), person])))
  }

  /** Members who keep the rules. */
  get honest(): Copy[] {
    return this.copies.filter(isHonest)
  }

  /** Runs until every honest member sealed all rounds, or something happened that must not. */
  run(): Outcome {
    const { rounds, syncEveryMs } = this.#scenario
    for (const copy of this.copies) {
      this.#later(this.#random.between(0, syncEveryMs), () => this.#sync(copy))
      if (copy.isFaulty) this.#later(this.#random.between(0, PESTER_EVERY_MS), () => this.#pester(copy))
      this.#carryOut(copy, start(copy.context, copy.environment))
    }
    while (this.#done < rounds && this.#watch.violations.length === 0) {
      if (!this.#queue.runNext() || this.#steps > STEPS_MAX)
        this.#watch.note('stall', 'the simulation ran dry')
    }
    return {
      violations: this.#watch.violations,
      rounds: this.#done,
      voidRounds: this.#voidRounds,
      highestView: this.#highestView,
      strain: this.#strain,
      virtualMs: this.#queue.now,
      steps: this.#steps
    }
  }

  #later(milliseconds: number, run: () => void): void {
    this.#queue.later(milliseconds, run)
  }

  #event(copy: Copy, event: PeerEvent): void {
    if (copy.state === undefined) return
    this.#steps++
    try {
      this.#carryOut(copy, step(copy.state, event, this.#environment(copy)))
    } catch (error) {
      if (copy.isFaulty) copy.state = undefined
      else this.#watch.note('throw', `${copy.name}: ${(error as Error).stack}`)
    }
  }

  /** What a copy steps with: its clock runs as fast as its timers do. */
  #environment({ environment, clock }: Copy): Environment {
    return { ...environment, now: Math.round(this.#queue.now / clock) }
  }

  /** Lets something happen to this life of a copy after a while. */
  #happen(copy: Copy, milliseconds: number, event: PeerEvent): void {
    const { life } = copy
    this.#later(milliseconds, () => copy.life === life && this.#event(copy, event))
  }

  #carryOut(copy: Copy, { state, effects }: Step): void {
    if (copy.state?.context !== state.context) this.#begin(copy, state.context)
    copy.state = state
    const { life } = copy
    if (isHonest(copy)) this.#look(copy, state, effects)
    for (const effect of effects) {
      if (this.#isToCrash(copy)) this.#crash(copy)
      if (copy.life !== life) return
      copy.effects++
      this.#effect(copy, effect)
    }
    const stage = this.#stages.get(state.context.round)
    if (stage?.script !== undefined && !stage.healed) {
      stage.script.observe()
      if (stage.script.isOver) this.#heal(stage)
    }
  }

  /** What the checker sees of a step. */
  #look(copy: Copy, state: PeerState, effects: readonly Effect[]): void {
    this.#highestView = Math.max(this.#highestView, state.view)
    for (const effect of effects) {
      if (effect.type === 'certified') {
        this.#watch.certified(copy.name, state.context, effect.certificate)
        this.#observer.certified?.(state.context.round, this.#queue.now)
      }
      if (effect.type === 'equivocation') this.#watch.accused(copy.name, effect.first, effect.second)
      if (effect.type === 'halt') this.#watch.note('halt', `${copy.name} halted: ${effect.reason}`)
    }
    if (state.committed !== undefined) this.#watch.committed(copy.name, state)
    if (this.#steps % BOUNDS_EVERY === 0) this.#watch.bounded(copy.name, state, copy.log.length)
  }

  /** The first honest member to begin a round raises its curtain. */
  #begin(copy: Copy, context: RoundContext): void {
    if (copy.state !== undefined) copy.effects = 0
    if (copy.isFaulty || this.#stages.has(context.round)) return
    const { weather } = this.#scenario
    const stage = new RoundStage(
      context,
      weather[Math.min(context.round, weather.length) - 1]!,
      this.copies,
      (to, bytes) => this.#later(1, () => this.#receive(to, bytes))
    )
    this.#stages.set(context.round, stage)
    this.#later(stage.weather.healMs, () => this.#heal(stage))
  }

  #heal(stage: RoundStage): void {
    if (stage.healed) return
    stage.heal()
    for (const copy of this.copies) if (copy.state === undefined) this.#restart(copy)
    const limit = patience(this.#scenario, stage.context, this.honest)
    const { round } = stage.context
    const { now } = this.#queue
    this.#later(limit, () => {
      const late = this.honest.filter(({ sealed }) => !sealed.has(round)).map(({ name }) => name)
      if (late.length === 0) return
      this.#watch.note('stall', `round ${round}: ${late} did not seal within ${limit} ms of healing`)
    })
    const finished = this.#finished.get(round)
    if (finished === undefined) this.#finished.set(round, new Set())
    this.#limits.set(round, { from: now, limit })
  }

  readonly #limits = new Map<number, { from: number; limit: number }>()

  #effect(copy: Copy, effect: Effect): void {
    const random = this.#random
    switch (effect.type) {
      case 'persist':
        copy.log.push(effect.record)
        break
      case 'broadcast':
        this.#broadcast(copy, effect.message)
        break
      case 'fetch':
        this.#fetch(copy, effect.message)
        break
      case 'train': {
        const { round } = effect.context
        const weather = this.#stages.get(round)?.weather
        const after = random.between(...(this.#scenario.trainMs ?? [100, 4_000]))
        if (weather?.untrained.includes(copy.person))
          this.#happen(copy, after, { type: 'trainingFailed', round, reason: 'drawn' })
        else {
          const manifest = simulatedManifest(
            effect.context,
            copy.person,
            this.#chains[copy.person]!,
            copy.peer
          )
          this.#happen(copy, after, { type: 'trained', round, manifest })
        }
        break
      }
      case 'timer':
        this.#happen(copy, effect.milliseconds * copy.clock, {
          type: 'timeout',
          round: effect.round,
          timer: effect.timer
        })
        break
      case 'build': {
        const { modelDigest } = effect.context
        const model = isVoid(effect.cut) ? modelDigest : sha256(modelDigest, effect.cutId)
        const stack = isVoid(effect.cut) ? null : sha256(model)
        this.#happen(copy, random.between(...(this.#scenario.workMs ?? [5, 50])), {
          type: 'built',
          cut: effect.cutId,
          stack,
          model
        })
        break
      }
      case 'rebuild': {
        const { modelDigest: model } = effect.context
        this.#happen(copy, random.between(...(this.#scenario.workMs ?? [5, 50])), { type: 'rebuilt', model })
        break
      }
      case 'sealed':
        this.#sealed(copy, effect)
        break
    }
  }

  #sealed(copy: Copy, { context, sealedRound }: Extract<Effect, { type: 'sealed' }>): void {
    const { round } = context
    const next = copy.state!.context
    copy.sealed.set(round, { bytes: encodeSealedRound(sealedRound), context })
    copy.context = next
    copy.log = copy.log.filter((record) =>
      isAfter(round, record, (envelope) => this.#edge.decode(envelope).header.round)
    )
    if (copy.isFaulty) return
    this.#watch.sealed(copy.name, context, sealedRound, next)
    this.#observer.sealed?.(round, copy.sealed.get(round)!.bytes, this.#queue.now)
    const finished = this.#finished.get(round) ?? new Set()
    this.#finished.set(round, finished.add(copy))
    if (finished.size < this.honest.length) return
    this.#done = round
    if (isVoid(sealedRound.cut)) this.#voidRounds++
    const limit = this.#limits.get(round)
    if (limit !== undefined)
      this.#strain = Math.max(this.#strain, (this.#queue.now - limit.from) / limit.limit)
    this.#stages.get(round - 2)?.heal()
    this.#stages.delete(round - 2)
  }

  #broadcast(copy: Copy, message: Message): void {
    if (isHonest(copy)) this.#watch.said(copy.person, message)
    this.#observer.sent?.(message, this.#queue.now)
    const stage = this.#stages.get(message.header.round)
    stage?.messages.push(message)
    for (const to of this.copies) {
      if (to === copy) continue
      if (!copy.isFaulty) this.#send(copy, to, message.bytes)
      else {
        const isScripted = stage?.script !== undefined && !stage.healed
        const words = isScripted
          ? stage.script!.utter(copy, message, to)
          : this.#afterScript(stage, copy, message, to)
        for (const bytes of words) this.#send(copy, to, bytes)
      }
    }
  }

  #afterScript(stage: RoundStage | undefined, copy: Copy, message: Message, to: Copy): readonly Uint8Array[] {
    if (stage?.script !== undefined) return stage.script.utter(copy, message, to)
    return utter(copy, message, to, this.#random)
  }

  #send(from: Copy, to: Copy, bytes: Uint8Array): void {
    const random = this.#random
    const { round } = this.#edge.decode(bytes).header
    const stage = this.#stages.get(round)
    const deliver = () => this.#receive(to, bytes)
    if (stage === undefined || stage.healed) {
      this.#later(random.between(...this.#scenario.calmDelay), deliver)
      return
    }
    const { delay, loss, duplication } = stage.weather
    if (!stage.passes(this.#edge.decode(bytes), from, to)) {
      stage.hold(() => this.#later(random.between(...this.#scenario.calmDelay), deliver))
      return
    }
    if (random.chance(loss)) return
    this.#later(random.between(...delay), deliver)
    if (random.chance(duplication)) this.#later(random.between(...delay), deliver)
  }

  #receive(to: Copy, bytes: Uint8Array): void {
    const { state } = to
    if (state === undefined) return
    try {
      const envelope = this.#edge.decode(bytes)
      const judgement = this.#edge.judge(state.context, envelope)
      if (judgement.verdict === 'accept') {
        if (isHonest(to)) this.#watch.accepted(to.name, state.context, judgement.message)
        this.#event(to, { type: 'message', message: judgement.message })
      }
      if (judgement.verdict === 'early')
        this.#event(to, { type: 'early', author: envelope.header.author, bytes })
      if (judgement.verdict === 'reject' && isHonest(to) && this.#isHonestWord(envelope))
        this.#watch.note('rejected', `${to.name} rejected an honest ${envelope.kind}: ${judgement.reason}`)
    } catch (error) {
      if (!(error instanceof MalformedError))
        this.#watch.note('throw', `${to.name}: ${(error as Error).stack}`)
    }
  }

  /** Whether an honest member really said this: a forgery in its name is rightly rejected. */
  #isHonestWord({ header, bytes }: Envelope): boolean {
    return (this.#stages.get(header.round)?.messages ?? []).some(
      (message) =>
        equalBytes(message.bytes, bytes) &&
        this.honest.some(({ peer }) => equalBytes(peer, message.header.author))
    )
  }

  #sync(copy: Copy): void {
    this.#later(this.#scenario.syncEveryMs * copy.clock, () => this.#sync(copy))
    const other = this.copies[this.#random.between(0, this.copies.length - 1)]!
    if (other === copy || copy.state === undefined || other.state === undefined) return
    if (other.behaviours.has('silent')) return
    const stage = this.#stages.get(copy.state.context.round)
    if (stage?.areParted(other, copy)) return
    if (stage?.healed === false && this.#random.chance(stage.weather.loss)) return
    const kept = other.sealed.get(copy.state.context.round)
    if (kept !== undefined) {
      this.#adopt(copy, other, kept.bytes)
      return
    }
    if (this.#even.get(copy.state)?.has(other.state)) return
    this.#exchange(copy, other, copy.state, other.state, stage)
  }

  #adopt(copy: Copy, other: Copy, bytes: Uint8Array): void {
    try {
      const sealedRound = decodeSealedRound(copy.state!.context, bytes, this.#edge.verify)
      this.#event(copy, { type: 'sealedRound', sealedRound })
    } catch (error) {
      if (!(error instanceof MalformedError) || isHonest(other))
        this.#watch.note('rejected', `${copy.name} refused a sealed round of ${other.name}: ${error}`)
    }
  }

  #exchange(copy: Copy, other: Copy, own: PeerState, theirs: PeerState, stage: RoundStage | undefined): void {
    const asked = syncRequest(own)
    const request = this.#scenario.signatures === 'real' ? decodeSyncRequest(encodeSyncRequest(asked)) : asked
    const { certificates, messages } = answerSync(theirs, request)
    if (certificates.length === 0 && messages.length === 0) {
      const even = this.#even.get(own) ?? new WeakSet()
      this.#even.set(own, even.add(theirs))
      return
    }
    for (const certificate of certificates) {
      if (stage?.script !== undefined && !stage.healed && !stage.script.passesCertificate(certificate.author))
        continue
      if (isValidCertificate(own.context, certificate, this.#edge.verify))
        this.#event(copy, { type: 'certificate', round: request.round, certificate })
      else if (isHonest(other)) this.#watch.note('rejected', `a certificate of ${other.name} is not valid`)
    }
    for (const bytes of messages) {
      const envelope = this.#edge.decode(bytes)
      if (stage === undefined || stage.passes(envelope, other, copy)) this.#receive(copy, bytes)
    }
  }

  #pester(copy: Copy): void {
    this.#later(PESTER_EVERY_MS, () => this.#pester(copy))
    const round = copy.state?.context.round
    const stage = round === undefined ? undefined : this.#stages.get(round)
    if (stage === undefined || this.copies.length === 0) return
    const overheard = { context: stage.context, messages: stage.messages, outsider: this.#outsider }
    for (const bytes of pester(copy, overheard, this.#random)) {
      const to = this.copies[this.#random.between(0, this.copies.length - 1)]!
      if (to !== copy)
        this.#later(this.#random.between(...this.#scenario.calmDelay), () => this.#receive(to, bytes))
    }
  }

  /** Gets blocks from whoever has them and serves them, as often as it takes. */
  #fetch(copy: Copy, manifest: Message<'manifest'>): void {
    const { life } = copy
    const id = hex(manifest.id)
    const holders = this.#holders.get(id) ?? new Set()
    this.#holders.set(id, holders)
    const author = this.copies.find(({ peer }) => equalBytes(peer, manifest.header.author))
    if (author?.isFaulty) holders.add(author)
    let wait = FETCH_RETRY_MS
    const attempt = () => {
      if (copy.life !== life) return
      const has =
        author?.person === copy.person ||
        holders.has(copy) ||
        copy.behaviours.has('endorses-unfetched') ||
        [...holders].some((holder) => this.#serves(holder, copy, manifest.header.round))
      if (!has) {
        wait = Math.min(FETCH_RETRY_MAX_MS, wait * 1.5)
        this.#later(wait, attempt)
        return
      }
      if (!copy.behaviours.has('endorses-unfetched')) holders.add(copy)
      const fault =
        author?.behaviours.has('trains-nonsense') && isHonest(copy) ? 'holds what is not finite' : undefined
      this.#event(copy, { type: 'blocksHeld', manifest: manifest.id, fault })
    }
    this.#later(this.#random.between(...(this.#scenario.workMs ?? [5, 100])), attempt)
  }

  #serves(holder: Copy, asker: Copy, round: number): boolean {
    if (holder.state === undefined || this.#stages.get(round)?.areParted(holder, asker)) return false
    if (!holder.isFaulty) return true
    const { behaviours } = holder
    if (behaviours.has('silent') || behaviours.has('withholds-blocks'))
      return asker.person === holder.person + 1
    return !behaviours.has('selective') || (holder.person + asker.person) % 3 !== 0
  }

  #isToCrash(copy: Copy): boolean {
    const round = copy.state?.context.round
    const stage = round === undefined ? undefined : this.#stages.get(round)
    if (stage === undefined || stage.healed) return false
    return stage.weather.crashes.some(
      ({ member, afterEffects }) => member === copy.person && afterEffects === copy.effects
    )
  }

  /** Stops a copy before an effect: a record that was being written is torn, and gone with the log's tail. */
  #crash(copy: Copy): void {
    const { round } = copy.state!.context
    const crash = this.#stages
      .get(round)!
      .weather.crashes.find(
        ({ member, afterEffects }) => member === copy.person && afterEffects === copy.effects
      )!
    copy.life++
    copy.effects++
    copy.state = undefined
    const { life } = copy
    this.#later(crash.downMs, () => copy.life === life && copy.state === undefined && this.#restart(copy))
  }

  #restart(copy: Copy): void {
    copy.life++
    try {
      this.#carryOut(copy, restore(copy.context, copy.log, this.#environment(copy)))
    } catch (error) {
      if (isHonest(copy)) this.#watch.note('throw', `${copy.name}: ${(error as Error).stack}`)
    }
  }
}

function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return Uint8Array.from(hash.digest())
}
