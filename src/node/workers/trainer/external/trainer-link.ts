import { z } from 'zod'
import type { ChannelListener, TrainerChannel } from './channel.ts'
import { answerSchema, CONTRACT_VERSION, type ContractAnswer, type TrainerReady } from './contract.ts'

/** Timeout for the first message of a trainer that the daemon starts, milliseconds. */
const READY_MS = 5 * 60_000

/** Opens the channel to a trainer. */
export type OpenChannel = (listener: ChannelListener) => Promise<TrainerChannel>

/** The receiver of the answers to one request. */
export interface Waiting {
  answered(answer: ContractAnswer): void
  failed(error: Error): void
}

/** One trainer process or attached session, from start to end: validates its messages and forwards them. */
export class TrainerLink {
  /** The trainer's `ready` message. Rejects if the trainer ends or violates the contract first. */
  readonly ready: Promise<TrainerReady>
  /** The `ready` message, once it has arrived. */
  said: TrainerReady | undefined
  readonly waiting = new Map<number, Waiting>()
  /** Number of requests to train or evaluate that it has received. */
  requests = 0
  readonly #channel: Promise<TrainerChannel>
  readonly #onEnd: () => void
  readonly #starting: NodeJS.Timeout | undefined
  #settle: { resolve(said: TrainerReady): void; reject(error: Error): void } | undefined

  /**
   * @param isStarted whether this process starts the trainer, which must then be ready in time
   * @param onEnd called once when no further requests are possible
   */
  constructor(open: OpenChannel, isStarted: boolean, onOutput: (line: string) => void, onEnd: () => void) {
    this.#onEnd = onEnd
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Each request waits for `ready` itself; there may be no requests.
    this.ready.catch(() => undefined)
    if (isStarted)
      this.#starting = setTimeout(
        () => this.end(`it did not report that it is ready within ${READY_MS / 60_000} minutes`),
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

  /** Ends the trainer immediately, for a reason. */
  end(reason: string): void {
    this.#fail(reason)
    this.#channel.then((channel) => channel.close(true)).catch(() => undefined)
  }

  #hear(json: unknown): void {
    const parsed = answerSchema.safeParse(json)
    if (!parsed.success) {
      const fault = z.prettifyError(parsed.error).replaceAll(/\s+/g, ' ')
      this.end(`its answer does not match the contract (docs/trainers.md): ${fault}`)
    } else if (parsed.data.type !== 'ready') {
      // An answer without a receiver belongs to a cancelled request.
      this.waiting.get(parsed.data.id)?.answered(parsed.data)
    } else if (parsed.data.contract !== CONTRACT_VERSION) {
      this.end(
        `it uses version ${parsed.data.contract} of the contract, but this daemon uses version ${CONTRACT_VERSION}: install matching versions`
      )
    } else {
      clearTimeout(this.#starting)
      // A second `ready` from an attached trainer means that it was restarted and has lost its requests.
      const lost = new Error('the trainer failed: it was restarted')
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
