import { ServiceError } from './service-error.ts'

/** A minute, milliseconds. */
const MINUTE_MS = 60_000
/** Clients whose positions are counted. */
const CLIENTS_MAX = 1_024

/** Positions that each client may ask for. */
export interface Allowance {
  /** @throws {ServiceError} `busy`, when the client has asked for too many */
  take(client: string, positions: number): void
}

/** Positions a minute, by client: a bucket that fills evenly. */
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
          `a client is told of ${perMinute} positions a minute`,
          Math.ceil(((left + positions - perMinute) / perMinute) * MINUTE_MS)
        )
      spent.delete(client)
      spent.set(client, { amount: left + positions, at: time })
      // The one that was last here longest ago has the least to remember.
      if (spent.size > CLIENTS_MAX) spent.delete(spent.keys().next().value!)
    }
  }
}
