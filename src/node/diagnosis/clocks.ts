/** Smaller differences need no action: between members, clocks matter for invites and logs only. */
const SKEW_MS_MAX = 5_000

/** One peer's clock as measured. */
export interface ClockSample {
  readonly peerId: string
  /** Its offset from this machine's clock, milliseconds; positive if it is ahead. */
  readonly aheadMs: number
  readonly roundTripMs: number
}

/** Whose clock is wrong. */
export type ClockVerdict =
  | { readonly type: 'unknown' }
  /** @property aheadMs the median of the others, against this machine */
  | { readonly type: 'together'; readonly aheadMs: number }
  /** This machine's clock differs from most others'. */
  | { readonly type: 'own'; readonly aheadMs: number; readonly agreeing: number; readonly asked: number }
  /** One of two is wrong, and nobody else is there to say which. */
  | { readonly type: 'either'; readonly peerId: string; readonly aheadMs: number }
  /** Single others differ from most. */
  | { readonly type: 'others'; readonly peers: readonly ClockSample[]; readonly aheadMs: number }

/** Decides by majority, with this machine's clock as one vote. Differences within half a round trip do not count. */
export function judgeClocks(samples: readonly ClockSample[]): ClockVerdict {
  if (samples.length === 0) return { type: 'unknown' }
  const sorted = samples.map(({ aheadMs }) => aheadMs).sort((a, b) => a - b)
  const median = sorted[Math.floor((sorted.length - 1) / 2)]!
  const wrong = samples.filter(
    ({ aheadMs, roundTripMs }) => Math.abs(aheadMs) - roundTripMs / 2 > SKEW_MS_MAX
  )
  if (wrong.length === 0) return { type: 'together', aheadMs: median }
  if (samples.length === 1) return { type: 'either', peerId: wrong[0]!.peerId, aheadMs: median }
  if (wrong.length * 2 > samples.length)
    return { type: 'own', aheadMs: median, agreeing: wrong.length, asked: samples.length }
  return { type: 'others', peers: wrong, aheadMs: median }
}
