import { ServiceError } from './service-error.ts'

/** One minute, milliseconds. */
const MINUTE_MS = 60_000
/** Maximum number of clients tracked. */
const CLIENTS_MAX = 1_024

/** Limits the positions that each client may request. */
export interface Allowance {
  /** @throws {ServiceError} `busy` if the client has requested too many */
  take(client: string, positions: number): void
}

/** Positions per minute and client, as a token bucket. */
export function createAllowance(perMinute: number, now: () => number): Allowance {
  const spent = new Map<string, { amount: number; at: number }>()
  return {
    take(client, positions) {
      const time = now()
      const before = spent.get(client)
      const left =
        before === undefined ? 0 : Math.max(0, before.amount - ((time - before.at) * perMinute) / MINUTE_MS)
      if (left + positions > perMinute)
        throw new ServiceError(
          'busy',
          `a client may request at most ${perMinute} positions per minute`,
          Math.ceil(((left + positions - perMinute) / perMinute) * MINUTE_MS)
        )
      spent.delete(client)
      spent.set(client, { amount: left + positions, at: time })
      // Evicts the least recently seen client, whose bucket has refilled the most.
      if (spent.size > CLIENTS_MAX) spent.delete(spent.keys().next().value!)
    }
  }
}
