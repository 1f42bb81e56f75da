import { hash } from 'node:crypto'
import type { RevealChain } from '../../src/protocol/charter/reveal-chain.ts'
import { equalBytes, hex } from '../../src/protocol/encoding/bytes.ts'
import { type Signer, verifyEd25519 } from '../../src/protocol/encoding/signature.ts'
import { contextAfter, encodeSealedRound } from '../../src/protocol/history/sealed-round.ts'
import { type Environment, type Step, start, step } from '../../src/protocol/machine.ts'
import { isVoid } from '../../src/protocol/messages/cut.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import type { Effect } from '../../src/protocol/state/effects.ts'
import type { PeerEvent } from '../../src/protocol/state/events.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import { type Copy, isHonest, type SealedEffect, withoutRound } from '../consortium/copy.ts'
import { verifyIdeal } from '../consortium/ideal-signatures.ts'
import { peopleOf } from '../consortium/people.ts'
import { simulatedManifest } from '../consortium/simulated-consortium.ts'
import { type Violation, Watch } from '../invariants/watch.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { EventQueue } from '../support/event-queue.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type EnvelopeCheck, memoisedCheck, plainCheck } from '../world/envelope-check.ts'
import { Neighbours } from '../world/neighbours.ts'
import { RoundStage } from '../world/round-stage.ts'
import type { Observer, World } from '../world/world.ts'
import { BlockExchange } from './block-exchange.ts'
import { CrashRestart } from './crash-restart.ts'
import { Delivery } from './delivery.ts'
import { Healing } from './healing.ts'
import { MembershipPlans } from './membership-plans.ts'
import { SyncExchange } from './sync-exchange.ts'

export type { Observer } from '../world/world.ts'

/** Steps of a copy between two checks of its memory. */
const BOUNDS_EVERY = 16
/** Maximum number of steps in a round, divided by members squared: more indicates an endless loop in virtual time. */
const STEPS_MAX = 100_000
/** The round in which homes are copied, and the latest time after its start, milliseconds. */
const COPIED_IN = 2
const COPIED_AFTER_MS = 4_000
/** Membership changes that a faulty copy remembers. */
const CHANGES_KEPT = 8
/** Rounds for which sealed rounds and blocks are kept after all members have them: no member is away for longer. */
const KEPT_ROUNDS = 32

/** Result of a run. */
export interface Outcome {
  readonly violations: readonly Violation[]
  /** Rounds that every honest member sealed. */
  readonly rounds: number
  readonly voidRounds: number
  /** Highest view that an honest member reached, and how close a round came to its time limit, 0 to 1. */
  readonly highestView: number
  readonly strain: number
  readonly virtualMs: number
  readonly steps: number
}

/** A consortium in virtual time: every step of every member, in an order determined by the scenario alone. */
export class Network implements World {
  readonly scenario: Scenario
  readonly observer: Observer
  readonly queue = new EventQueue()
  readonly random: SeededRandom
  readonly watch: Watch
  readonly envelopeCheck: EnvelopeCheck
  readonly copies: Copy[]
  readonly honest: readonly Copy[]
  readonly chains: readonly RevealChain[]
  readonly outsider: Signer
  readonly genesis: RoundContext
  readonly stages = new Map<number, RoundStage>()
  readonly finished = new Map<number, Set<Copy>>()
  readonly neighbours = new Neighbours(this)
  readonly #delivery: Delivery
  readonly #sync: SyncExchange
  readonly #blocks: BlockExchange
  readonly #crashes: CrashRestart
  readonly #healing: Healing
  readonly #plans: MembershipPlans
  #steps = 0
  #highestView = -1
  #voidRounds = 0
  #done = 0

  /** @param observer receives what is sent and reached, for measurements */
  constructor(scenario: Scenario, observer: Observer = {}) {
    this.scenario = scenario
    this.observer = observer
    this.random = new SeededRandom(scenario.seed)
    const verify = scenario.signatures === 'real' ? verifyEd25519 : verifyIdeal
    this.envelopeCheck = scenario.signatures === 'real' ? plainCheck(verify) : memoisedCheck(verify)
    const { copies, chains, outsider, genesis } = peopleOf(scenario, verify)
    this.copies = copies
    this.honest = copies.filter(isHonest)
    this.chains = chains
    this.outsider = outsider
    this.genesis = genesis
    this.watch = new Watch(new Map(this.honest.map(({ peer, person }) => [hex(peer), person])))
    this.#delivery = new Delivery(this)
    this.#sync = new SyncExchange(this, this.#delivery)
    this.#blocks = new BlockExchange(this)
    this.#crashes = new CrashRestart(this, this.#blocks)
    this.#healing = new Healing(this, this.#crashes)
    this.#plans = new MembershipPlans(this)
  }

  /** Starts all copies. */
  begin(): void {
    for (const copy of this.copies) {
      this.#sync.begin(copy)
      if (copy.isFaulty) this.#delivery.beginPestering(copy)
      // The copy does not exist yet.
      if (copy.behaviours.has('copied') && copy.twin === 1) continue
      this.carryOut(copy, start(copy.context, this.#environmentOf(copy)))
    }
  }

  /** Runs until every honest member has sealed all rounds, or an invariant is violated. */
  run(): Outcome {
    const { rounds } = this.scenario
    this.begin()
    const most = STEPS_MAX * this.copies.length ** 2
    for (let until = most; this.#done < rounds && this.watch.violations.length === 0; ) {
      const before = this.#done
      if (!this.queue.runNext() || this.#steps > until)
        this.watch.note('stall', 'the simulation ran out of events')
      if (this.#done > before) until = this.#steps + most
    }
    return {
      violations: this.watch.violations,
      rounds: this.#done,
      voidRounds: this.#voidRounds,
      highestView: this.#highestView,
      strain: this.#healing.strain,
      virtualMs: this.queue.now,
      steps: this.#steps
    }
  }

  readonly event = (copy: Copy, event: PeerEvent): void => {
    if (copy.state === undefined) return
    this.#steps++
    if (event.type === 'timeout' && isHonest(copy)) this.watch.expired(copy, copy.state, event)
    try {
      this.carryOut(copy, step(copy.state, event, this.#environmentOf(copy)))
    } catch (error) {
      if (copy.isFaulty) copy.state = undefined
      else this.watch.note('throw', `${copy.name}: ${(error as Error).stack}`)
    }
  }

  /** The environment of a copy's step: its clock runs at the same speed as its timers. */
  #environmentOf({ environment, clock }: Copy): Environment {
    environment.now = Math.round(this.queue.now / clock)
    return environment
  }

  happen(copy: Copy, milliseconds: number, event: PeerEvent): void {
    const { life } = copy
    this.queue.later(milliseconds, () => copy.life === life && this.event(copy, event))
  }

  carryOut(copy: Copy, { state, effects }: Step): void {
    if (copy.state?.context !== state.context) this.#begin(copy, state.context)
    if (copy.awayUntil > 0) return
    const before = copy.state?.context ?? state.context
    if (copy.state !== undefined && before !== state.context && isHonest(copy))
      this.watch.left(copy, copy.state, state.context)
    copy.state = state
    const { life } = copy
    if (isHonest(copy)) this.#look(copy, before, state, effects)
    for (const effect of effects) {
      const crash = this.#crashes.dueTo(copy)
      if (crash !== undefined) this.#crashes.crash(copy, crash)
      if (copy.life !== life) return
      copy.effects++
      this.#effect(copy, effect)
      if (copy.life !== life) return
    }
    if (isHonest(copy) && this.#steps % BOUNDS_EVERY === 0)
      this.watch.bounded(copy.name, state, copy.log.length)
    const stage = this.stages.get(state.context.round)
    if (stage?.script !== undefined && !stage.healed) {
      stage.script.observe()
      if (stage.script.isOver) this.#healing.heal(stage)
    }
  }

  /** Shows a step to the checker; one step may pass through several rounds. */
  #look(copy: Copy, before: RoundContext, state: PeerState, effects: readonly Effect[]): void {
    let context = before
    const { watch } = this
    const { round } = state.context
    if (state.view > this.#highestView) this.#highestView = state.view
    const limit = this.stages.get(round)?.viewLimit
    if (limit !== undefined && state.view > limit)
      watch.note('stall', `round ${round}: ${copy.name} reached view ${state.view}, beyond ${limit}`)
    for (const effect of effects) {
      if (effect.type === 'sealed') context = contextAfter(effect.context, effect.sealedRound)
      if (effect.type === 'certified') {
        watch.certified(copy.name, context, effect.certificate)
        this.observer.certified?.(context.round, this.queue.now)
      }
      if (effect.type === 'equivocation') watch.accused(copy.name, effect.first, effect.second)
      if (effect.type === 'halt') watch.note('halt', `${copy.name} halted: ${effect.reason}`)
    }
    if (state.committed !== undefined) watch.committed(copy.name, state)
  }

  /** The first honest member to begin a round opens its stage. */
  #begin(copy: Copy, context: RoundContext): void {
    if (copy.state !== undefined) copy.effects = 0
    const { weather, absences = [] } = this.scenario
    if (!copy.isFaulty && !this.stages.has(context.round) && context.round > this.#done) {
      const stage = new RoundStage(
        context,
        weather[Math.min(context.round, weather.length) - 1]!,
        this.copies,
        (to, bytes) => this.queue.later(1, () => this.#delivery.receive(to, { bytes }))
      )
      this.stages.set(context.round, stage)
      this.#healing.watchOver(stage)
      this.#crashes.comeBack(context.round)
    }
    this.#plans.begin(copy, context)
    if (copy.behaviours.has('copied') && copy.twin === 0 && context.round === COPIED_IN) this.#copyHome(copy)
    const absence = absences.find(({ member, from }) => member === copy.person && from === context.round)
    const isStillGone = absence !== undefined && !this.stages.has(absence.until)
    if (isStillGone) this.#crashes.leaveUntil(copy, absence.until)
  }

  /** At some time in this round, a second copy of a member starts from the disk of the first. */
  #copyHome(copy: Copy): void {
    const second = this.copies.find(({ person, twin }) => person === copy.person && twin === 1)
    if (second === undefined || second.state !== undefined) return
    this.queue.later(this.random.between(0, COPIED_AFTER_MS), () => {
      const { log, sealed, context, words } = copy
      Object.assign(second, { log: [...log], sealed: new Map(sealed), context, words: new Set(words) })
      this.#crashes.restart(second)
    })
  }

  #effect(copy: Copy, effect: Effect): void {
    const { random, scenario } = this
    const work = () => random.between(...(scenario.workMs ?? [5, 50]))
    switch (effect.type) {
      case 'persist':
        copy.log.push(effect.record)
        break
      case 'broadcast': {
        const { message } = effect
        if (isHonest(copy) && message.kind === 'endorsement') this.#checkVouched(copy, effect)
        this.#delivery.broadcast(copy, message)
        break
      }
      case 'fetch':
        this.#blocks.fetch(copy, effect.message)
        break
      case 'train':
        this.#train(copy, effect.context)
        break
      case 'timer': {
        const { round, timer, milliseconds } = effect
        this.happen(copy, milliseconds * copy.clock, { type: 'timeout', round, timer })
        break
      }
      case 'build': {
        const isWrong = scenario.miscomputes?.some(
          ({ member, round }) => member === copy.person && round === effect.context.round
        )
        const salt = isWrong ? Uint8Array.of(1) : new Uint8Array()
        const model = isVoid(effect.cut) && !isWrong ? copy.model : sha256(copy.model, effect.cutId, salt)
        const stack = isVoid(effect.cut) ? null : sha256(model)
        const { life } = copy
        const longer = scenario.slow?.find(({ member }) => member === copy.person)?.buildMs ?? 0
        this.queue.later(work() + longer, () => {
          if (copy.life !== life || copy.state?.context !== effect.context) return
          copy.built = model
          this.event(copy, { type: 'built', cut: effect.cutId, stack, model })
        })
        break
      }
      case 'rebuild': {
        const { modelDigest: model } = effect.context
        const { life } = copy
        this.queue.later(10 * work(), () => {
          if (copy.life !== life || copy.state?.context !== effect.context) return
          copy.model = model
          this.event(copy, { type: 'rebuilt', model })
        })
        break
      }
      case 'sealed':
        this.#sealed(copy, effect)
        break
    }
  }

  /** Rule 1: an honest member endorses only blocks that it holds and finds valid. */
  #checkVouched(copy: Copy, { message }: Extract<Effect, { type: 'broadcast' }>): void {
    const { manifest } = message.body as { manifest: Uint8Array }
    const author = copy.state?.context.members[message.slot]?.peer
    const { round } = message.header
    if (author === undefined || copy.state?.context.round !== round) return
    if (!this.#blocks.mayVouch(copy, manifest, author, round))
      this.watch.note('endorsed', `${copy.name} endorsed blocks that it does not hold, or that are invalid`)
  }

  #train(copy: Copy, context: RoundContext): void {
    const { round } = context
    const after = this.random.between(...(this.scenario.trainMs ?? [100, 4_000]))
    if (this.stages.get(round)?.weather.untrained.includes(copy.person))
      this.happen(copy, after, { type: 'trainingFailed', round, reason: 'drawn' })
    else {
      const manifest = simulatedManifest(context, copy.person, this.chains[copy.person]!, copy.peer)
      this.happen(copy, after, { type: 'trained', round, manifest })
    }
  }

  #sealed(copy: Copy, { context, sealedRound }: SealedEffect): void {
    const { round } = context
    const next = contextAfter(context, sealedRound)
    copy.sealed.set(round, { bytes: encodeSealedRound(sealedRound), context })
    // The identical context object if the state is in the next round: caches are keyed by it.
    copy.context = copy.state?.context.round === next.round ? copy.state.context : next
    copy.model = copy.built ?? copy.model
    copy.built = undefined
    copy.log = withoutRound(copy.log, round, (envelope) => this.envelopeCheck.decode(envelope).header.round)
    if (copy.isFaulty) {
      copy.changes = [...copy.changes, ...sealedRound.cut.membership].slice(-CHANGES_KEPT)
      return
    }
    if (!copy.state!.diverged && !equalBytes(copy.model, next.modelDigest))
      this.watch.note('model', `${copy.name} continues from a model that is not the sealed one`)
    this.watch.sealed(copy.name, context, sealedRound, next)
    this.observer.sealed?.(round, copy.sealed.get(round)!.bytes, this.queue.now)
    this.#blocks.prune(copy, next)
    const finished = this.finished.get(round) ?? new Set()
    this.finished.set(round, finished.add(copy))
    this.#healing.sealed(round)
    if (finished.size < this.honest.length || round <= this.#done) return
    this.#done = round
    if (isVoid(sealedRound.cut)) this.#voidRounds++
    this.stages.get(round - 2)?.heal()
    this.stages.delete(round - 2)
    this.#forgetBefore(round - KEPT_ROUNDS)
  }

  #forgetBefore(round: number): void {
    this.watch.forgetBefore(round)
    this.#blocks.forgetBefore(round)
    this.finished.delete(round)
    if (this.scenario.keepsAll) return
    for (const { sealed } of this.copies) sealed.delete(round)
  }
}

function sha256(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(hash('sha256', Buffer.concat(parts), 'buffer'))
}
