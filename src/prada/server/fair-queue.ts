import { ServiceError } from './service-error.ts'

/** One turn at a time; clients take turns, whoever asks more often waits longer. */
export interface FairQueue {
  /** Requests that wait or compute. */
  readonly length: number
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

export function createFairQueue(limits: {
  readonly waiting: number
  readonly waitingPerClient: number
}): FairQueue {
  let running = 0
  let waiting: Waiting[] = []
  /** Turn of each client's last start; the one that started least lately is next. */
  const lastTurns = new Map<string, number>()
  let turn = 0

  const startNext = (): void => {
    if (running > 0 || waiting.length === 0) return
    const next = waiting.reduce((best, entry) =>
      (lastTurns.get(entry.client) ?? 0) < (lastTurns.get(best.client) ?? 0) ? entry : best
    )
    waiting = waiting.filter((entry) => entry !== next)
    running = 1
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
    async run(client, signal, work) {
      await turnOf(client, signal)
      try {
        return await work()
      } finally {
        running = 0
        startNext()
      }
    }
  }
}
