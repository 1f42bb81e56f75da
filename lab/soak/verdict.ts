import type { Holdings } from './read-metrics.ts'

/** What one peer held in a tenth of a run. */
export interface TenthHoldings extends Holdings {
  /** As many rounds as pruning may leave there: those that are owed, and those of the time until it looks. */
  readonly roundsKept: number
}

/** What one peer held in each tenth of a run: means over its samples. */
export type Tenths = readonly TenthHoldings[]

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

/**
 * Compares the last tenth of each peer with its second: the first is warming up. The disk is what it is for each round
 * that pruning may leave: the young ones are kept by time, and a machine is not equally fast all the time.
 */
export function judgeTenths(peers: readonly Tenths[]): Judged[] {
  return peers.flatMap((tenths, peer) =>
    (Object.keys(LIMITS) as (keyof typeof LIMITS)[]).map((what) => {
      const second = heldIn(tenths[1]!, what)
      const last = heldIn(tenths.at(-1)!, what)
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

function heldIn(tenth: TenthHoldings, what: keyof typeof LIMITS): number {
  return what === 'boundedDisk' ? tenth.boundedDisk / tenth.roundsKept : tenth[what]
}

/** Means of samples. */
export function meanOf<Held extends Holdings>(samples: readonly Held[]): Held {
  const keys = Object.keys(samples[0]!) as (keyof Held & string)[]
  const means = keys.map((key) => [
    key,
    samples.reduce((sum, sample) => sum + Number(sample[key]), 0) / samples.length
  ])
  return Object.fromEntries(means) as Held
}
