import { ServiceError } from './service-error.ts'

/** Turns, one at a time or a few; clients alternate, so that one that asks more often waits longer. */
export interface FairQueue {
  /** Requests that wait or compute. */
  readonly length: number
  /** Of these, requests that wait. */
  readonly waiting: number
  /**
   * Runs `work` when its turn comes.
   *
   * @throws {ServiceError} `busy`, when too many wait
   * @throws the signal's reason, when it aborts before the turn comes
   */
  run<Result>(client: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result>
}

interface Waiting {
  readonly client: string
  start(): void
}

/** How much may wait, and how much may run. */
export interface FairQueueLimits {
  readonly waiting: number
  readonly waitingPerClient: number
  /** Turns at a time; 1 where it is absent. */
  readonly atOnce?: number
  /** Turns of one client at a time; as many as there are where it is absent. */
  readonly atOncePerClient?: number
}

export function createFairQueue(limits: FairQueueLimits): FairQueue {
  const { atOnce = 1, atOncePerClient = atOnce } = limits
  let running = 0
  const runningByClient = new Map<string, number>()
  let waiting: Waiting[] = []
  /** Turn of each client's last start; the one that started least lately is next. */
  const lastTurns = new Map<string, number>()
  let turn = 0

  const count = (client: string, change: 1 | -1): void => {
    running += change
    const ofClient = (runningByClient.get(client) ?? 0) + change
    if (ofClient === 0) runningByClient.delete(client)
    else runningByClient.set(client, ofClient)
  }

  const startNext = (): void => {
    if (running >= atOnce) return
    const ready = waiting.filter(({ client }) => (runningByClient.get(client) ?? 0) < atOncePerClient)
    if (ready.length === 0) return
    const next = ready.reduce((best, entry) =>
      (lastTurns.get(entry.client) ?? 0) < (lastTurns.get(best.client) ?? 0) ? entry : best
    )
    waiting = waiting.filter((entry) => entry !== next)
    count(next.client, 1)
    lastTurns.delete(next.client)
    lastTurns.set(next.client, ++turn)
    // The oldest turns are forgotten: such clients are next anyway.
    for (const [client] of lastTurns) {
      if (lastTurns.size <= 2 * limits.waiting + 2) break
      lastTurns.delete(client)
    }
    next.start()
  }

  const turnOf = (client: string, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted()
    const ofClient = waiting.filter((entry) => entry.client === client).length
    if (waiting.length >= limits.waiting || ofClient >= limits.waitingPerClient)
      throw new ServiceError('busy', 'too many requests wait for the model', 1_000)
    return new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        waiting = waiting.filter((other) => other !== entry)
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
      waiting.push(entry)
      startNext()
    })
  }

  return {
    get length() {
      return waiting.length + running
    },
    get waiting() {
      return waiting.length
    },
    async run(client, signal, work) {
      await turnOf(client, signal)
      try {
        return await work()
      } finally {
        count(client, -1)
        startNext()
      }
    }
  }
}
