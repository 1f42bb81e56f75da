import type { TrainingProgress } from '../training-job.ts'
import type {
  ContractAnswer,
  ContractRequest,
  EvaluateRequest,
  Feature,
  TrainerReady,
  TrainerResult,
  TrainRequest
} from './contract.ts'
import { type OpenChannel, TrainerLink } from './trainer-link.ts'

/** Timeout for the answer to a cancelled request, milliseconds. */
const CANCEL_MS = 10_000

/** Options of a connection to a trainer. */
export interface ConnectionOptions {
  readonly open: OpenChannel
  /** Whether this process starts the trainer. A trainer that attaches may connect at any time and is not killed. */
  readonly isStarted: boolean
  /** Called with each line of human-readable output. */
  readonly onOutput: (line: string) => void
}

type Asked<Request> = Omit<Request, 'id' | 'type'>

/** A request and how to interpret its answers. */
interface Question<Result> {
  readonly request: (id: number) => ContractRequest
  /** Extracts the result from an answer; undefined if more answers follow. */
  readonly hear: (answer: ContractAnswer) => Result | undefined
  /** Time at which to request the result so far, milliseconds since 1970. */
  readonly finishAt?: number
}

/**
 * Sends requests to an external trainer. The trainer starts with the first request, and restarts with the next one
 * after it has ended.
 */
export class TrainerConnection {
  readonly #options: ConnectionOptions
  #link: TrainerLink | undefined
  #ids = 0

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** Whether the trainer is connected and offers a feature. */
  offers(feature: Feature): boolean {
    return this.#link?.said?.features.includes(feature) === true
  }

  /** Number of requests to train or evaluate that the current trainer has received. */
  get requests(): number {
    return this.#link?.requests ?? 0
  }

  /** The trainer's `ready` message. @throws if it cannot be started, or the signal aborts */
  ready(signal: AbortSignal): Promise<TrainerReady> {
    return untilAborted(this.#present().ready, signal)
  }

  /** @throws if the trainer fails, ends or violates the contract, or the signal cancels the request */
  train(
    request: Asked<TrainRequest>,
    onProgress: (progress: TrainingProgress) => void,
    signal: AbortSignal
  ): Promise<TrainerResult> {
    return this.#ask(
      {
        request: (id) => ({ type: 'train', id, ...request }),
        hear: (answer) => {
          if (answer.type === 'progress') {
            const { step, steps, loss } = answer
            onProgress({ step, steps, loss })
          }
          return answer.type === 'result' ? answer : undefined
        },
        finishAt: Date.parse(request.deadline)
      },
      signal
    )
  }

  /** The loss in nats per target. @throws as {@link train} */
  evaluate(request: Asked<EvaluateRequest>, signal: AbortSignal): Promise<number> {
    return this.#ask(
      {
        request: (id) => ({ type: 'evaluate', id, ...request }),
        hear: (answer) => (answer.type === 'evaluation' ? answer.loss : undefined)
      },
      signal
    )
  }

  /** Ends the trainer. Another request would restart it. */
  async stop(): Promise<void> {
    const link = this.#link
    this.#link = undefined
    const channel = await link?.channel.catch(() => undefined)
    await channel?.close()
  }

  #present(): TrainerLink {
    if (this.#link !== undefined) return this.#link
    const { open, isStarted, onOutput } = this.#options
    const link = new TrainerLink(open, isStarted, onOutput, () => {
      if (this.#link === link) this.#link = undefined
    })
    this.#link = link
    return link
  }

  async #ask<Result>(question: Question<Result>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted()
    const link = this.#present()
    await untilAborted(link.ready, signal)
    const channel = await link.channel
    const id = ++this.#ids
    const timers = new Set<NodeJS.Timeout>()
    const after = (ms: number, act: () => void) => timers.add(setTimeout(act, Math.max(0, ms)))
    const onAbort = () => {
      channel.send({ type: 'cancel', id })
      after(CANCEL_MS, () => this.#giveUp(link, id))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await new Promise<Result>((resolve, reject) => {
        const answered = (answer: ContractAnswer) => {
          if (answer.type === 'failed') reject(new Error(`the trainer reported: ${answer.reason}`))
          else if (answer.type === 'cancelled') reject(new Error('the training was cancelled'))
          else {
            const result = question.hear(answer)
            if (result !== undefined) resolve(result)
          }
        }
        link.waiting.set(id, { answered, failed: reject })
        link.requests++
        channel.send(question.request(id))
        if (question.finishAt !== undefined && this.offers('finish'))
          after(question.finishAt - Date.now(), () => channel.send({ type: 'finish', id }))
      })
    } finally {
      for (const timer of timers) clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      link.waiting.delete(id)
    }
  }

  #giveUp(link: TrainerLink, id: number): void {
    const fault = `it did not stop within ${CANCEL_MS / 1_000} seconds of being cancelled`
    if (this.#options.isStarted) link.end(fault)
    else link.waiting.get(id)?.failed(new Error(`the trainer failed: ${fault}`))
  }
}

/** Resolves like the promise, unless the signal aborts first. */
function untilAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
