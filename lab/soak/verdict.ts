import type { Holdings } from './read-metrics.ts'

/** Resources held by one peer in a tenth of a run. */
export interface TenthHoldings extends Holdings {
  /** Number of rounds that pruning may leave: those that it must retain, and those of the interval until it runs. */
  readonly roundsKept: number
}

/** Resources held by one peer in each tenth of a run, as means over its samples. */
export type Tenths = readonly TenthHoldings[]

/** Limits for the last tenth: a multiple of the second tenth plus a constant. */
const LIMITS: Readonly<
  Record<Exclude<keyof Holdings, 'heap' | 'seals' | 'sealedRounds'>, { times: number; plus: number }>
> = {
  memory: { times: 1.1, plus: 0 },
  trainerMemory: { times: 1.1, plus: 0 },
  // One connection more or less at the time of a sample is not growth.
  openFiles: { times: 1.1, plus: 4 },
  timers: { times: 1.1, plus: 4 },
  handles: { times: 1.1, plus: 4 },
  boundedDisk: { times: 1.1, plus: 0 }
}

/** One resource of one peer. */
export interface Judged {
  readonly peer: number
  readonly what: string
  readonly second: number
  readonly last: number
  readonly ratio: number
  readonly ok: boolean
}

/**
 * Compares the last tenth of each peer with its second, since the first is warm-up. The disk is measured per round that
 * pruning may leave: young rounds are kept by time, and a machine's speed varies.
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
