/** Rate limit: a burst of `burst`, and `perSecond` in the long run. */
export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** Maximum number of remembered keys; the least recently used one is forgotten first. */
const KEYS_MAX = 65_536
/** Fractions add up inexactly: this part of a token may be missing. */
const ROUNDING = 0.001

/**
 * Token buckets by key (a peer, or an author of messages). A key that has been quiet long enough for its bucket to be full
 * again is forgotten.
 */
export class TokenBuckets {
  readonly #limit: () => RateLimit
  /** The filled share of each bucket, 0 to 1, since the limit may change; ordered by last use. */
  readonly #buckets = new Map<string, { share: number; at: number }>()

  /** @param limit of all buckets; a function if it changes over time, as with the size of the consortium */
  constructor(limit: RateLimit | (() => RateLimit)) {
    this.#limit = typeof limit === 'function' ? limit : () => limit
  }

  /**
   * Takes tokens, all or none.
   *
   * @param now milliseconds of a clock that does not go backwards
   * @returns whether there were enough
   */
  take(key: string, now: number, count = 1): boolean {
    const { perSecond, burst } = this.#limit()
    const share = this.#shareOf(key, now)
    const isEnough = share * burst > count - ROUNDING
    // Deleted and set again to keep the map ordered by last use.
    this.#buckets.delete(key)
    this.#forgetFull(now, (1_000 * burst) / perSecond)
    this.#buckets.set(key, { share: isEnough ? Math.max(0, share - count / burst) : share, at: now })
    return isEnough
  }

  /** Whether {@link take} would succeed. */
  has(key: string, now: number, count = 1): boolean {
    return this.#shareOf(key, now) * this.#limit().burst > count - ROUNDING
  }

  #shareOf(key: string, now: number): number {
    const { perSecond, burst } = this.#limit()
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) return 1
    return Math.min(1, bucket.share + ((now - bucket.at) / 1_000) * (perSecond / burst))
  }

  /** Number of remembered keys. */
  get size(): number {
    return this.#buckets.size
  }

  #forgetFull(now: number, fillMs: number): void {
    for (const [key, { at }] of this.#buckets) {
      if (now - at < fillMs && this.#buckets.size < KEYS_MAX) return
      this.#buckets.delete(key)
    }
  }
}
