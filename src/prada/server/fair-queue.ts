import { ServiceError } from './service-error.ts'

/** Schedules one or a few turns at a time. Clients alternate, so a client with more requests waits longer. */
export interface FairQueue {
  /** Requests that are waiting or computing. */
  readonly length: number
  /** Requests that are waiting. */
  readonly waiting: number
  /**
   * Runs `work` when its turn comes.
   *
   * @throws {ServiceError} `busy` if too many are waiting
   * @throws the signal's reason, if it aborts before the turn comes
   */
  run<Result>(client: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result>
}

interface Waiting {
  readonly client: string
  start(): void
}

/** Limits on waiting and running requests. */
export interface FairQueueLimits {
  readonly waiting: number
  readonly waitingPerClient: number
  /** Concurrent turns; 1 if absent. */
  readonly atOnce?: number
  /** Concurrent turns per client; unlimited if absent. */
  readonly atOncePerClient?: number
}

export function createFairQueue(limits: FairQueueLimits): FairQueue {
  return new Turns(limits)
}

class Turns implements FairQueue {
  readonly #limits: Required<FairQueueLimits>
  #running = 0
  readonly #runningByClient = new Map<string, number>()
  #waiting: Waiting[] = []
  /** Turn number of each client's last start. The client with the oldest start is next. */
  readonly #lastTurns = new Map<string, number>()
  #turn = 0

  constructor({ waiting, waitingPerClient, atOnce = 1, atOncePerClient = atOnce }: FairQueueLimits) {
    this.#limits = { waiting, waitingPerClient, atOnce, atOncePerClient }
  }

  get length(): number {
    return this.#waiting.length + this.#running
  }

  get waiting(): number {
    return this.#waiting.length
  }

  async run<Result>(client: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    await this.#turnOf(client, signal)
    try {
      return await work()
    } finally {
      this.#count(client, -1)
      this.#startNext()
    }
  }

  #count(client: string, change: 1 | -1): void {
    this.#running += change
    const ofClient = this.#runningOf(client) + change
    if (ofClient === 0) this.#runningByClient.delete(client)
    else this.#runningByClient.set(client, ofClient)
  }

  #runningOf(client: string): number {
    return this.#runningByClient.get(client) ?? 0
  }

  #startNext(): void {
    const { atOnce, atOncePerClient, waiting } = this.#limits
    if (this.#running >= atOnce) return
    const ready = this.#waiting.filter(({ client }) => this.#runningOf(client) < atOncePerClient)
    if (ready.length === 0) return
    const lastTurn = ({ client }: Waiting): number => this.#lastTurns.get(client) ?? 0
    const next = ready.reduce((best, entry) => (lastTurn(entry) < lastTurn(best) ? entry : best))
    this.#waiting = this.#waiting.filter((entry) => entry !== next)
    this.#count(next.client, 1)
    this.#lastTurns.delete(next.client)
    this.#lastTurns.set(next.client, ++this.#turn)
    // The oldest entries are dropped, since clients without one come first anyway.
    for (const [client] of this.#lastTurns) {
      if (this.#lastTurns.size <= 2 * waiting + 2) break
      this.#lastTurns.delete(client)
    }
    next.start()
  }

  #turnOf(client: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const ofClient = this.#waiting.filter((entry) => entry.client === client).length
    if (this.waiting >= this.#limits.waiting || ofClient >= this.#limits.waitingPerClient)
      throw new ServiceError('busy', 'too many requests wait for the model', 1_000)
    return new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== entry)
        reject(signal.reason)
      }
      const entry: Waiting = {
        client,
        start: () => {
          signal.removeEventListener('abort', leave)
          resolve()
        }
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(entry)
      this.#startNext()
    })
  }
}
