import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Effect,
  type Environment,
  hex,
  type LogRecord,
  NO_MESSAGES,
  type PeerEvent,
  type PeerState,
  restore,
  type Step,
  step
} from '../../protocol/index.ts'
import { roundSummary, shardCounts } from '../home/round-summary.ts'
import { removeRequest } from '../membership/request-files.ts'
import { messageOf } from '../storage/peer-error.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { TrainingProgress } from '../workers/trainer/training-job.ts'
import type { DriverComponents } from './components.ts'
import { logEffect } from './effect-log.ts'
import { type CheckedEnvelope, EnvelopeCheck } from './envelope-check.ts'
import { EventQueue } from './event-queue.ts'
import { HeldOutCheck } from './held-out-check.ts'
import { WeightNotice } from './low-weight.ts'
import { Measurements } from './measurements.ts'
import { PhaseClock } from './phase-clock.ts'
import { type Deviation, rebuildModel, setAsideBuild } from './rebuild-model.ts'
import { RETRY_DELAYS, type RetryDelays } from './retry-delays.ts'
import { RoundEvaluations } from './round-evaluations.ts'
import { buildCut, fetchManifest, ImpossibleManifestError } from './shard-work.ts'
import { trainRound } from './training-work.ts'

/**
 * The imperative shell around the round protocol: handles events one at a time, carries out their effects in order, and
 * feeds the results back as events. Nothing is sent before it is in the log.
 */
export class RoundDriver {
  readonly #components: DriverComponents
  readonly #queue: EventQueue<() => Step>
  readonly #clock: PhaseClock
  readonly #heldOut: HeldOutCheck
  readonly #evaluations: RoundEvaluations
  readonly #envelopes: EnvelopeCheck
  readonly #weight: WeightNotice
  readonly #stopped = new AbortController()
  /** The state that the next event applies to. */
  #state!: PeerState
  /** The last state whose effects have all been carried out: every signature in it is in the log. */
  #durable!: PeerState
  #round = newRound()
  #training = new AbortController()
  #trainingProgress: TrainingProgress | undefined
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #onAdvance = new Set<() => void>()
  #bytesBefore = 0
  /** What was trained while this peer is held back (rule 17 *Lost log*): its manifest is signed afterwards. */
  #heldEvents: PeerEvent[] | undefined
  /** The last round in which this peer's build diverged from the seal. */
  #deviation: Deviation | undefined
  readonly #delays: RetryDelays

  constructor(components: DriverComponents, delays: RetryDelays = RETRY_DELAYS) {
    this.#components = components
    this.#delays = delays
    this.#queue = new EventQueue((next) => this.#take(next))
    this.#clock = new PhaseClock(performance.now())
    const measurements = new Measurements(components)
    this.#evaluations = new RoundEvaluations(components, measurements)
    this.#heldOut = new HeldOutCheck(components, measurements, (measured) =>
      this.#evaluations.received(measured)
    )
    this.#envelopes = new EnvelopeCheck(components)
    this.#weight = new WeightNotice(components)
  }

  /**
   * The protocol's state as others may see it: everything signed in it is in the log. It lags behind while an event's
   * effects are carried out, as long as a full disk lasts.
   */
  get state(): PeerState {
    return this.#durable
  }

  /** Whether there is room for others' messages; while writes fail, waiting ones must not pile up. */
  get hasRoom(): boolean {
    return this.#queue.hasRoom
  }

  /**
   * Starts the round after the last sealed one, or resumes it if the log says that it had started.
   *
   * @param heldBack whether nothing is signed until the event `released` (rule 17 *Lost log*)
   */
  start(heldBack = false): void {
    const { rounds, messageLog } = this.#components
    const begun = restore(rounds.head, messageLog.records, this.#environment(), heldBack)
    if (heldBack) this.#heldEvents = []
    this.#state = begun.state
    // What `restore` returns was in the log; new signatures are sent only after the effects have logged them.
    this.#durable = { ...begun.state, messages: NO_MESSAGES, certificates: new Map() }
    this.#evaluations.begin(rounds.head)
    this.#queue.push(() => begun)
  }

  /** Stops at once, even in the middle of an event's effects; anything not in the log was never sent. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#round.abort()
    this.#training.abort()
    this.#heldOut.stop()
    for (const timer of this.#timers) clearTimeout(timer)
    await Promise.all([this.#queue.close(), this.#evaluations.stop()])
  }

  /**
   * Validates an envelope from outside and, if it is useful, queues it as an event.
   *
   * @param from the peer that forwarded it, for the log
   */
  receive(bytes: Uint8Array, from: string, way: 'gossip' | 'sync' = 'gossip'): CheckedEnvelope['verdict'] {
    if (!this.#queue.hasRoom) return 'ignore'
    const { verdict, event } = this.#envelopes.check(this.#state, bytes, from, way)
    if (event !== undefined) this.happen(event)
    return verdict
  }

  /** Queues an event for the protocol. */
  happen(event: PeerEvent): void {
    if (event.type === 'trained' && this.#heldEvents !== undefined) {
      this.#heldEvents.push(event)
      return
    }
    this.#push(event)
    if (event.type !== 'released') return
    for (const held of this.#heldEvents ?? []) this.#push(held)
    this.#heldEvents = undefined
  }

  #push(event: PeerEvent): void {
    this.#queue.push(() => step(this.#state, event, this.#environment()))
  }

  /** The key, the signature verifier, and the current time: deadlines adapt to observed delays. */
  #environment(): Environment {
    return { ...this.#components.environment, now: Math.round(performance.now()) }
  }

  /** Resolves when this peer is past `round` and has stored it; rejects when the signal aborts. */
  roundAfter(round: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#durable.context.round > round) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        this.#onAdvance.delete(check)
        signal.removeEventListener('abort', abort)
        act()
      }
      const check = () => this.#durable.context.round > round && finish(resolve)
      const abort = () => finish(() => reject(signal.reason))
      this.#onAdvance.add(check)
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  async #take(next: () => Step): Promise<void> {
    const { log } = this.#components
    try {
      const { state, effects } = next()
      this.#state = state
      this.#heldOut.follow(state)
      for (const effect of effects) {
        await this.#carryOutOrLog(effect)
        // Nothing more is carried out: what is in the log is sent at the next start.
        if (this.#stopped.signal.aborted) return
      }
      this.#durable = state
      this.#clock.enter(state.phase, performance.now())
      for (const check of this.#onAdvance) check()
      if (effects.length > 0) this.reportProgress()
    } catch (error) {
      log.error({ error: messageOf(error) }, 'an event could not be handled')
    }
  }

  /** A failing effect must not prevent the others. Only `persist` is a precondition of others: it waits. */
  async #carryOutOrLog(effect: Effect): Promise<void> {
    try {
      await this.#carryOut(effect)
    } catch (error) {
      if (this.#stopped.signal.aborted) return
      const fields = { effect: effect.type, error: messageOf(error) }
      this.#components.log.error(fields, 'an effect could not be carried out')
    }
  }

  async #carryOut(effect: Effect): Promise<void> {
    const { log, host } = this.#components
    switch (effect.type) {
      case 'persist':
        return this.#persist(effect.record)
      case 'broadcast':
        // Peers that miss it get it by sync.
        host
          .publish(effect.message.bytes)
          .catch((error) => log.debug({ error: messageOf(error) }, 'not gossiped'))
        return
      case 'fetch':
        return this.#work('fetching a manifest', async (signal) => {
          const event = await fetchManifest(this.#components, () => this.#state, effect.message, signal)
          return this.#heldOut.judge(event, effect.message, this.#state)
        })
      case 'train':
        return this.#train(effect)
      case 'cancelTraining':
        return this.#training.abort()
      case 'timer':
        return this.#setTimer(effect)
      case 'build':
        return this.#work('stacking', (signal) =>
          buildCut(this.#components, () => this.#state, effect, signal)
        )
      case 'diverged':
        this.#deviation = effect
        log.error(
          {
            round: effect.context.round,
            built: hex(effect.built),
            sealed: hex(effect.sealedRound.seal.model)
          },
          'the build of this peer differs from the seal and is rebuilt; until then the peer votes, but neither trains nor attests'
        )
        return setAsideBuild(this.#components.home, effect.context.round)
      case 'rebuild':
        return this.#work('rebuilding the model', (signal) =>
          rebuildModel(this.#components, effect.context, this.#deviation, signal)
        )
      case 'requestRefused':
        log.warn({ reason: effect.reason }, 'a membership request has taken effect or no longer can')
        return removeRequest(this.#components.home, this.#state.context.charterId, effect.signedRequest)
      case 'sealed':
        return this.#sealed(effect)
      case 'contradicted': {
        const { kind, slot, header } = effect.message
        log.error(
          { peer: peerIdText(header.author), kind, slot, round: header.round },
          'a message signed with this peer’s own key is not in its log: another copy of this identity runs, or this home is an old copy. This peer signs nothing until it knows what was signed'
        )
        this.#components.report({ type: 'contradicted', round: header.round })
        return
      }
      case 'halt':
        this.#training.abort()
        log.error({ reason: effect.reason }, 'halted: an operator has to intervene')
        this.#components.report({ type: 'halted', reason: effect.reason })
        return
      default:
        return logEffect(log, effect)
    }
  }

  /** Does not return before the record is durable: on a full disk this peer falls silent and loses nothing. */
  async #persist(record: LogRecord): Promise<void> {
    await this.#untilDone('the log cannot be written; nothing is sent until it can', () =>
      this.#components.messageLog.append(record)
    )
  }

  async #untilDone(warning: string, act: () => Promise<void>): Promise<void> {
    for (let isRefused = false; ; ) {
      try {
        await act()
        if (isRefused) this.#components.log.info({}, 'writes to the disk succeed again')
        return
      } catch (error) {
        // Once: the log is usually on the same disk.
        if (!isRefused) this.#components.log.error({ error: messageOf(error) }, warning)
        isRefused = true
        await sleep(this.#delays.diskMs, undefined, { signal: this.#stopped.signal })
      }
    }
  }

  /** Runs work of this round in the background until it yields its event or the round is over. */
  #work(what: string, run: (signal: AbortSignal) => Promise<PeerEvent>): void {
    const { signal } = this.#round
    const attempt = async () => {
      while (!signal.aborted) {
        try {
          const event = await run(signal)
          if (signal.aborted) return
          return this.happen(event)
        } catch (error) {
          if (signal.aborted) return
          const fields = { error: messageOf(error) }
          // No provider can ever deliver what such a manifest describes.
          if (error instanceof ImpossibleManifestError)
            return this.#components.log.warn(fields, `${what} is abandoned`)
          this.#components.log.warn(fields, `${what} failed; retrying`)
          await sleep(this.#delays.workMs, undefined, { signal }).catch(() => undefined)
        }
      }
    }
    void attempt()
  }

  /** Whether the last round to train in is over: from then on this peer only serves. */
  #isResting(round: number): boolean {
    return round > (this.#components.config.rounds ?? Number.POSITIVE_INFINITY)
  }

  #train({ context }: Extract<Effect, { type: 'train' }>): void {
    this.#trainingProgress = undefined
    if (this.#isResting(context.round)) return
    this.#training = new AbortController()
    const { signal } = this.#training
    const { round } = context
    const onProgress = (progress: TrainingProgress) => {
      // A cancelled training finishes its current step, even if the next round's has started.
      if (signal.aborted) return
      this.#trainingProgress = progress
      this.reportProgress()
    }
    const train = () => trainRound(this.#components, context, onProgress, signal)
    this.#evaluations.baseMeasured.then(train).then(
      (event) => {
        if (signal.aborted) return
        if (event.type === 'trained') this.#evaluations.own(context, event.manifest)
        this.happen(event)
      },
      (error) => {
        if (signal.aborted) return
        this.#components.log.error(
          { round, error: messageOf(error) },
          'training failed; the round continues without this adapter'
        )
        this.happen({ type: 'trainingFailed', round, reason: messageOf(error) })
      }
    )
  }

  #setTimer({ round, timer, milliseconds }: Extract<Effect, { type: 'timer' }>): void {
    if (this.#isResting(round)) return
    const handle = setTimeout(() => {
      this.#timers.delete(handle)
      this.happen({ type: 'timeout', round, timer })
    }, milliseconds)
    this.#timers.add(handle)
  }

  async #sealed({ context, sealedRound }: Extract<Effect, { type: 'sealed' }>): Promise<void> {
    const { rounds, messageLog, log, report } = this.#components
    await this.#untilDone('the sealed round cannot be written', async () => {
      await rounds.save(context, sealedRound)
      await messageLog.forgetBefore(context.round + 1)
    })
    this.#round.abort()
    this.#round = newRound()
    this.#training.abort()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    const received = [...this.#components.host.traffic.totals().values()].reduce(
      (sum, total) => sum + total.received,
      0
    )
    const sealed = roundSummary(context, sealedRound)
    report({
      type: 'sealed',
      ...sealed,
      ms: this.#clock.finish(performance.now()),
      bytesReceived: received - this.#bytesBefore
    })
    this.#bytesBefore = received
    log.info({ round: context.round, model: sealed.modelDigest, members: sealed.cut.length }, 'sealed')
    this.#weight.note(sealed, context.charter)
    this.#evaluations.begin(rounds.head)
  }

  /** Reports what this peer is doing. */
  reportProgress(): void {
    const state = this.#state
    const { round } = state.context
    const phase = state.halted !== undefined ? 'halted' : this.#isResting(round) ? 'serving' : state.phase
    this.#components.report({
      type: 'progress',
      round,
      phase,
      view: state.view,
      step: this.#trainingProgress?.step ?? 0,
      steps: this.#trainingProgress?.steps ?? this.#components.config.training.steps,
      loss: this.#trainingProgress?.loss ?? null,
      ...shardCounts(state),
      connected: this.#components.host.peers().length
    })
  }
}

/** Aborts the work of a round; every member's fetch listens to it. */
function newRound(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
