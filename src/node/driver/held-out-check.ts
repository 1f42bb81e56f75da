import {
  type HeldOutLoss,
  heldOutFault,
  type Message,
  manifestFault,
  type PeerEvent,
  type PeerState
} from '../../protocol/index.ts'
import type { HeldOutReport } from '../home/peer-report.ts'
import { messageOf } from '../storage/peer-error.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { DriverComponents } from './components.ts'
import type { Measurements } from './measurements.ts'

type BlocksHeld = Extract<PeerEvent, { type: 'blocksHeld' }>

/**
 * Rule 2 *Validate*, the held-out check: measures what each received update does to the loss on this peer's own text, one
 * update after the other, while an endorsement may still follow; training and votes do not wait for it. If the charter
 * makes it a veto, the endorsement waits, up to a deadline.
 */
export class HeldOutCheck {
  readonly #components: DriverComponents
  readonly #measurements: Measurements
  readonly #onMeasured: (measured: HeldOutReport) => void
  /** Measurements of the round under way. */
  #gathering = new AbortController()
  #round = 0
  /** Why the last update was not measured: a lasting reason is logged once. */
  #fault: string | undefined

  /** @param onMeasured called with every measured update */
  constructor(
    components: DriverComponents,
    measurements: Measurements,
    onMeasured: (measured: HeldOutReport) => void = () => {}
  ) {
    this.#components = components
    this.#onMeasured = onMeasured
    this.#measurements = measurements
    const { rounds, log } = components
    if (rounds.head.charter.heldOutVeto !== false && measurements.text === undefined)
      log.warn(
        {},
        'the charter makes the held-out check a veto, but this peer has no held-out text: updates are validated without it'
      )
  }

  /** Ends the measurements of a round that has committed its cut or is over: no endorsement follows. */
  follow({ context, committed, halted }: PeerState): void {
    if (context.round !== this.#round) {
      this.#gathering.abort()
      this.#gathering = new AbortController()
      this.#round = context.round
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
    const measured = this.#measure(message, state, this.#gathering.signal)
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
      this.#measurements.text !== undefined
    )
  }

  /** Never rejects: a failed measurement vetoes nothing. */
  async #measure(
    { author, body }: Message<'manifest'>,
    { context }: PeerState,
    signal: AbortSignal
  ): Promise<HeldOutLoss | undefined> {
    const { log, report } = this.#components
    const peerId = peerIdText(context.members[author]!.peer)
    const { round } = context
    try {
      const { before, after } = await this.#measurements.update(context, body, signal)
      if (!Number.isFinite(before)) throw new Error(`the loss without it is ${before}`)
      const loss = { before, after }
      const isRefused = heldOutFault(context, loss) !== undefined
      this.#fault = undefined
      // A refusal is a warning of its own, with its reason.
      log.info({ round, peerId, ...loss }, 'the held-out loss without and with an update')
      const measured: HeldOutReport = { type: 'heldOut', round, peerId, ...loss, isRefused }
      this.#onMeasured(measured)
      report(measured)
      return loss
    } catch (error) {
      if (!signal.aborted) this.#noteFault(messageOf(error), { round, peerId })
      return undefined
    }
  }

  #noteFault(error: string, where: { readonly round: number; readonly peerId: string }): void {
    const { log } = this.#components
    const level = error === this.#fault ? 'debug' : 'warn'
    log[level]({ ...where, error }, 'an update could not be measured on the held-out text')
    this.#fault = error
  }
}
