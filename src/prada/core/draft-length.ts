/** Measurements of the trips so far; times in milliseconds. */
export interface TripCosts {
  /** Share of drafts that match the token, counting only drafts that follow accepted ones; from 0 to 1. */
  readonly acceptance: number
  /** Time to draft one token. */
  readonly draftMs: number
  /** Fixed time of a trip: the round trip, and the work that does not depend on the number of positions. */
  readonly tripMs: number
  /** Time that each further position adds: its bytes on the wire and the work of the remote and the device. */
  readonly positionMs: number
  /** Share of the drafting that runs while an answer is pending and proves useful; 0 if absent. */
  readonly overlap?: number
  /**
   * Whether the answer is streamed position by position, so that nothing after a rejected draft is awaited; false if
   * absent.
   */
  readonly streamed?: boolean
}

/** Maximum number of drafts per trip. */
export const DRAFTS_MAX = 32

/**
 * Expected tokens of a trip with K drafts, each accepted with probability a: the accepted drafts plus one,
 * (1 − a^(K + 1)) / (1 − a) (Leviathan et al. 2023, arXiv 2211.17192, eq. 1).
 */
export function expectedTokens(acceptance: number, drafts: number): number {
  if (acceptance >= 1) return drafts + 1
  return (1 - acceptance ** (drafts + 1)) / (1 - acceptance)
}

/** Cost of a position that is not awaited (the remote's work and the bytes), relative to one that is. */
const UNUSED_SHARE = 0.7

/** Expected time of a trip with K drafts, milliseconds. */
export function expectedTime(costs: TripCosts, drafts: number): number {
  const { acceptance, draftMs, tripMs, positionMs, overlap = 0, streamed = false } = costs
  if (streamed) {
    const used = expectedTokens(acceptance, drafts)
    return tripMs + (used + UNUSED_SHARE * (drafts + 1 - used)) * positionMs
  }
  const hidden = Math.min(drafts * draftMs * overlap * acceptance ** drafts, tripMs)
  return drafts * draftMs - hidden + tripMs + (drafts + 1) * positionMs
}

/** The number of drafts per trip, from 0 to `most`, that yields the most tokens per millisecond. */
export function bestDraftLength(costs: TripCosts, most = DRAFTS_MAX): number {
  let best = 0
  let bestRate = 0
  for (let drafts = 0; drafts <= most; drafts++) {
    const rate = expectedTokens(costs.acceptance, drafts) / Math.max(expectedTime(costs, drafts), 1e-6)
    if (rate <= bestRate) continue
    best = drafts
    bestRate = rate
  }
  return best
}

/** Measurements of one trip; times in milliseconds. */
export interface Trip {
  /** Drafts sent. */
  readonly drafts: number
  /** Drafts that matched the token. */
  readonly accepted: number
  /** Positions that were awaited; if absent, all of them, which is one more than the drafts. */
  readonly used?: number
  /** Drafting time, whether or not it was awaited. */
  readonly draftMs: number
  /** Time from sending to the last record, including the device's work on it. */
  readonly tripMs: number
}

/** Learns from past trips how many drafts the next one should have. */
export interface DraftLength {
  next(): number
  learn(trip: Trip): void
  readonly costs: TripCosts
}

/** Factor by which a trip's weight decays with every later trip. */
const FADING = 0.95
/** Weight of the prior acceptance of 0.5, in judged drafts. */
const PRIOR_DRAFTS = 4
const FIRST_DRAFTS = 4

/**
 * The draft length from exponentially decaying sums over past trips. A trip's time is modelled as a straight line over
 * its positions, fitted by least squares. Trips of one length do not determine the slope, so every few trips one has a
 * draft more or less.
 */
export function createDraftLength(
  most = DRAFTS_MAX,
  { streamed = false }: Pick<TripCosts, 'streamed'> = {}
): DraftLength {
  let judged = PRIOR_DRAFTS
  let accepted = PRIOR_DRAFTS / 2
  const drafting = { count: 0, ms: 0 }
  const line = { n: 0, x: 0, y: 0, xx: 0, xy: 0 }
  let trips = 0

  const costs = (): TripCosts => {
    const { n, x, y, xx, xy } = line
    const spread = n * xx - x * x
    const slope = spread > 1e-6 * n * n ? Math.max(0, (n * xy - x * y) / spread) : 0
    const start = n === 0 ? 0 : Math.max(0, (y - slope * x) / n)
    return {
      acceptance: accepted / judged,
      draftMs: drafting.count === 0 ? 0 : drafting.ms / drafting.count,
      tripMs: start,
      positionMs: slope,
      streamed
    }
  }

  return {
    get costs() {
      return costs()
    },
    next() {
      if (trips === 0) return Math.min(FIRST_DRAFTS, most)
      const best = bestDraftLength(costs(), most)
      const shift = trips % 8 === 3 ? 1 : trips % 8 === 7 ? -1 : 0
      return Math.max(0, Math.min(most, best + shift))
    },
    learn(trip) {
      trips++
      // A draft after a rejected one says nothing about acceptance.
      judged = judged * FADING + Math.min(trip.drafts, trip.accepted + 1)
      accepted = accepted * FADING + trip.accepted
      drafting.count = drafting.count * FADING + trip.drafts
      drafting.ms = drafting.ms * FADING + trip.draftMs
      const positions = (streamed ? trip.used : undefined) ?? trip.drafts + 1
      line.n = line.n * FADING + 1
      line.x = line.x * FADING + positions
      line.y = line.y * FADING + trip.tripMs
      line.xx = line.xx * FADING + positions * positions
      line.xy = line.xy * FADING + positions * trip.tripMs
    }
  }
}
