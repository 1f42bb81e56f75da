import { z } from 'zod'
import type { ChannelListener, TrainerChannel } from './channel.ts'
import { answerSchema, CONTRACT_VERSION, type ContractAnswer, type TrainerReady } from './contract.ts'

/** Time that a trainer which the daemon starts has for its first word, milliseconds. */
const READY_MS = 5 * 60_000

/** Opens the channel to a trainer. */
export type OpenChannel = (listener: ChannelListener) => Promise<TrainerChannel>

/** Who waits for the answers to one request. */
export interface Waiting {
  answered(answer: ContractAnswer): void
  failed(error: Error): void
}

/** One trainer process, or one attached session, from its start to its end: checks its words and hands them on. */
export class TrainerLink {
  /** What the trainer says of itself. Rejects when it ends or breaks the contract first. */
  readonly ready: Promise<TrainerReady>
  /** The same, as soon as it has been said. */
  said: TrainerReady | undefined
  readonly waiting = new Map<number, Waiting>()
  /** Requests to train or evaluate that it has had. */
  requests = 0
  readonly #channel: Promise<TrainerChannel>
  readonly #onEnd: () => void
  readonly #starting: NodeJS.Timeout | undefined
  #settle: { resolve(said: TrainerReady): void; reject(error: Error): void } | undefined

  /**
   * @param isStarted whether the trainer is started here, and must then be ready in time
   * @param onEnd hears once that nothing more can be asked of it
   */
  constructor(open: OpenChannel, isStarted: boolean, onOutput: (line: string) => void, onEnd: () => void) {
    this.#onEnd = onEnd
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Each request waits by itself; there may be none.
    this.ready.catch(() => undefined)
    if (isStarted)
      this.#starting = setTimeout(
        () => this.end(`it has not said that it is ready within ${READY_MS / 60_000} minutes`),
        READY_MS
      )
    this.#channel = open({
      message: (json) => this.#hear(json),
      output: onOutput,
      ended: (reason) => this.#fail(reason)
    })
    this.#channel.catch((error: Error) => this.#fail(error.message))
  }

  /** The channel, once it is open. */
  get channel(): Promise<TrainerChannel> {
    return this.#channel
  }

  /** Ends the trainer at once, for a reason. */
  end(reason: string): void {
    this.#fail(reason)
    this.#channel.then((channel) => channel.close(true)).catch(() => undefined)
  }

  #hear(json: unknown): void {
    const parsed = answerSchema.safeParse(json)
    if (!parsed.success) {
      const fault = z.prettifyError(parsed.error).replaceAll(/\s+/g, ' ')
      this.end(`its answer does not fit the contract (docs/trainers.md): ${fault}`)
    } else if (parsed.data.type !== 'ready') {
      // An answer that nobody waits for is of a request that was cancelled.
      this.waiting.get(parsed.data.id)?.answered(parsed.data)
    } else if (parsed.data.contract !== CONTRACT_VERSION) {
      this.end(
        `it speaks version ${parsed.data.contract} of the contract, this daemon version ${CONTRACT_VERSION}: install versions that belong together`
      )
    } else {
      clearTimeout(this.#starting)
      // An attached trainer that says so again has been started again, and knows of no request.
      const lost = new Error('the trainer failed: it was started again')
      if (this.said !== undefined) for (const { failed } of this.waiting.values()) failed(lost)
      this.requests = 0
      this.said = parsed.data
      this.#settle?.resolve(parsed.data)
    }
  }

  #fail(reason: string): void {
    clearTimeout(this.#starting)
    const error = new Error(`the trainer failed: ${reason}`)
    this.#settle?.reject(error)
    for (const { failed } of this.waiting.values()) failed(error)
    this.#onEnd()
  }
}
