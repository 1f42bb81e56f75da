/** Below this nobody has to do anything: invites and logs are all that clocks are used for between members. */
const SKEW_MS_MAX = 5_000

/** How one clock was found. */
export interface ClockSample {
  readonly peerId: string
  /** How far it is ahead of this machine's, milliseconds. */
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

/**
 * Judges by the majority: this machine's clock is one vote among the others'. What half a round trip could explain counts
 * as no difference.
 */
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
