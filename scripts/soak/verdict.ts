import type { Holdings } from './read-metrics.ts'

/** What one peer held in each tenth of a run: means over its samples. */
export type Tenths = readonly Holdings[]

/** How much of each the last tenth may have, as a multiple of the second, and what it may have on top. */
const LIMITS: Readonly<
  Record<Exclude<keyof Holdings, 'heap' | 'seals' | 'sealedRounds'>, { times: number; plus: number }>
> = {
  memory: { times: 1.1, plus: 0 },
  trainerMemory: { times: 1.1, plus: 0 },
  // A connection more or less, at the moment of a sample, is no growth.
  openFiles: { times: 1.1, plus: 4 },
  timers: { times: 1.1, plus: 4 },
  handles: { times: 1.1, plus: 4 },
  boundedDisk: { times: 1.1, plus: 0 }
}

/** One thing that was watched in one peer. */
export interface Judged {
  readonly peer: number
  readonly what: string
  readonly second: number
  readonly last: number
  readonly ratio: number
  readonly ok: boolean
}

/** Compares the last tenth of each peer with its second: the first is warming up. */
export function judgeTenths(peers: readonly Tenths[]): Judged[] {
  return peers.flatMap((tenths, peer) =>
    (Object.keys(LIMITS) as (keyof typeof LIMITS)[]).map((what) => {
      const second = tenths[1]![what]
      const last = tenths.at(-1)![what]
      const { times, plus } = LIMITS[what]
      return {
        peer,
        what,
        second,
        last,
        ratio: second === 0 ? 1 : last / second,
        ok: last <= second * times + plus
      }
    })
  )
}

/** Means of samples. */
export function meanOf(samples: readonly Holdings[]): Holdings {
  const keys = Object.keys(samples[0]!) as (keyof Holdings)[]
  const means = keys.map((key) => [
    key,
    samples.reduce((sum, sample) => sum + sample[key], 0) / samples.length
  ])
  return Object.fromEntries(means) as Holdings
}
