/** What is measured of the trips so far; times in milliseconds. */
export interface TripCosts {
  /** Share of drafts that turn out to be the token, each judged behind accepted ones only; from 0 to 1. */
  readonly acceptance: number
  /** Drafting one token. */
  readonly draftMs: number
  /** A trip without its positions: the round trip, and what both sides do whatever the number of positions. */
  readonly tripMs: number
  /** One position more: its bytes on the line, the remote's and the device's work on it. */
  readonly positionMs: number
  /** Share of the drafting that goes on while an answer is under way and turns out useful; 0 where it is absent. */
  readonly overlap?: number
  /** Whether the answer comes position by position, so that none is waited for behind a rejected draft; false if absent. */
  readonly streamed?: boolean
}

/** Most drafts a trip. */
export const DRAFTS_MAX = 32

/**
 * Expected tokens of a trip with K drafts, each accepted with probability a: those accepted, and one more
 * (1 − a^(K + 1)) / (1 − a) (Leviathan et al. 2023, arXiv 2211.17192, eq. 1).
 */
export function expectedTokens(acceptance: number, drafts: number): number {
  if (acceptance >= 1) return drafts + 1
  return (1 - acceptance ** (drafts + 1)) / (1 - acceptance)
}

/** What a position that nobody waits for costs: the remote's work on it and its bytes, beside one that is waited for. */
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

/** The number of drafts a trip, from 0 to `most`, that gives the most tokens a millisecond. */
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

/** One trip, as it went; times in milliseconds. */
export interface Trip {
  /** Drafts that were sent. */
  readonly drafts: number
  /** Of these, those that turned out to be the token. */
  readonly accepted: number
  /** Positions that were waited for; all, one more than there are drafts, where it is absent. */
  readonly used?: number
  /** Drafting, whether it was waited for or not. */
  readonly draftMs: number
  /** From sending to the last record, and the device's work on it. */
  readonly tripMs: number
}

/** Learns from trips how many drafts the next one should have. */
export interface DraftLength {
  next(): number
  learn(trip: Trip): void
  readonly costs: TripCosts
}

/** Share that a trip's weight keeps with every later one. */
const FADING = 0.95
/** Weight of the prior: acceptance of a half, as if this many drafts had been judged. */
const PRIOR_DRAFTS = 4
const FIRST_DRAFTS = 4

/**
 * The draft length from fading sums of what the trips were. A trip's time is a straight line over its positions, fitted
 * by least squares; while all trips had one length, nothing tells the slope, and every few trips one is a little longer.
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
      // A draft behind a rejected one says nothing.
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
