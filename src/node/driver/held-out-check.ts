import { existsSync } from 'node:fs'
import {
  type HeldOutLoss,
  heldOutFault,
  type Message,
  manifestFault,
  type PeerEvent,
  type PeerState
} from '../../protocol/index.ts'
import { withDeadline } from '../network/index.ts'
import { messageOf } from '../storage/peer-error.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { HeldOutText, MeasuringJob } from '../workers/trainer/training-job.ts'
import type { DriverComponents } from './components.ts'
import { heldOutText, tokensAnUpdate } from './held-out-text.ts'
import { lastNorms } from './norm-bounds.ts'

type BlocksHeld = Extract<PeerEvent, { type: 'blocksHeld' }>

/**
 * Rule 2 *Validate*, the held-out check: measures what each received update does to the loss on this peer's own text.
 * It runs in the trainer process, one update after the other, while an endorsement may still follow; training and votes
 * do not wait for it. If the charter makes it a veto, the endorsement waits, up to a deadline.
 */
export class HeldOutCheck {
  readonly #components: DriverComponents
  /** Measurements of the round under way. */
  #gathering = new AbortController()
  #round = 0
  #before: number | undefined
  /** Why the last update was not measured: what lasts is said once. */
  #fault: string | undefined
  #previous: Promise<unknown> = Promise.resolve()

  constructor(components: DriverComponents) {
    this.#components = components
    const { rounds, log } = components
    if (rounds.head.charter.heldOutVeto !== false && this.#text === undefined)
      log.warn(
        {},
        'the charter makes the held-out check a veto, but this peer has no held-out text: updates are validated without it'
      )
  }

  /** Looked for every time: a file may come and go. */
  get #text(): HeldOutText | undefined {
    const { config, home, rounds } = this.#components
    return heldOutText(config, home, rounds.head.charter)
  }

  /** Ends the measurements of a round that has committed its cut or is over: no endorsement follows. */
  follow({ context, committed, halted }: PeerState): void {
    if (context.round !== this.#round) {
      this.#gathering.abort()
      this.#gathering = new AbortController()
      this.#round = context.round
      this.#before = undefined
    }
    if (committed !== undefined || halted !== undefined) this.#gathering.abort()
  }

  stop(): void {
    this.#gathering.abort()
  }

  /**
   * Measures an update whose blocks are valid so far.
   *
   * @returns the event with the losses, where they may count; at once without them where they are advice
   */
  async judge(event: BlocksHeld, message: Message<'manifest'>, state: PeerState): Promise<BlocksHeld> {
    if (event.fault !== undefined || !this.#isMeasured(message, state)) return event
    const { signal } = this.#gathering
    const measured = this.#inTurn(() => this.#measure(message, state, signal))
    return state.context.charter.heldOutVeto === false ? event : { ...event, heldOut: await measured }
  }

  #isMeasured(
    { author, header, body }: Message<'manifest'>,
    { context, self, diverged }: PeerState
  ): boolean {
    return (
      author !== self &&
      !diverged &&
      header.round === this.#round &&
      !this.#gathering.signal.aborted &&
      manifestFault(context, author, body) === undefined &&
      this.#text !== undefined
    )
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#previous.then(work)
    this.#previous = result
    return result
  }

  /** Never rejects: a failed measurement vetoes nothing. */
  async #measure(
    { author, body }: Message<'manifest'>,
    { context }: PeerState,
    signal: AbortSignal
  ): Promise<HeldOutLoss | undefined> {
    const { trainer, log, report } = this.#components
    const peerId = peerIdText(context.members[author]!.peer)
    const { round } = context
    try {
      const job = { ...this.#job(context, body), clip: await this.#clip(context) }
      const { heldOutTimeout } = this.#components.config.validation
      const loss = await withDeadline('measuring an update', heldOutTimeout * 1_000, signal, (stop) =>
        trainer.measure(job, stop)
      )
      this.#before = loss.before
      if (!Number.isFinite(loss.before)) throw new Error(`the loss without it is ${loss.before}`)
      const isRefused = heldOutFault(context, loss) !== undefined
      this.#fault = undefined
      // A refusal is a warning of its own, with its reason.
      log.info({ round, peerId, ...loss }, 'the held-out loss without and with an update')
      report({ type: 'heldOut', round, peerId, ...loss, isRefused })
      return loss
    } catch (error) {
      if (!signal.aborted) this.#noteFault(messageOf(error), { round, peerId })
      return undefined
    }
  }

  /** What the stack will clip to is not known before there is a cut: the medians of the last one are near it. */
  async #clip({ charter, round }: PeerState['context']): Promise<MeasuringJob['clip']> {
    const { home, log } = this.#components
    return charter.clip === 'median' ? ((await lastNorms(home, round, log)) ?? {}) : {}
  }

  #noteFault(error: string, where: { readonly round: number; readonly peerId: string }): void {
    const { log } = this.#components
    const level = error === this.#fault ? 'debug' : 'warn'
    log[level]({ ...where, error }, 'an update could not be measured on the held-out text')
    this.#fault = error
  }

  #job(
    { charter, round, trainers }: PeerState['context'],
    { shards, dtype }: Message<'manifest'>['body']
  ): Omit<MeasuringJob, 'clip'> {
    const { config, home, rounds } = this.#components
    const { modelFile } = rounds
    const text = this.#text
    if (text === undefined) throw new Error('the held-out text is gone')
    if (rounds.head.round !== round || (modelFile !== undefined && !existsSync(modelFile)))
      throw new Error('the model that the round starts from is missing')
    return {
      baseFolder: config.model,
      modelFile,
      modules: charter.base.modules.map(({ module }) => module),
      rankStabilised: charter.rankStabilised,
      training: config.training,
      home: home.folder,
      dtype,
      shards,
      text,
      tokens: tokensAnUpdate(config.validation.heldOutTokens, trainers.length),
      before: this.#before,
      external: config.trainer === undefined ? undefined : { trainer: config.trainer }
    }
  }
}
