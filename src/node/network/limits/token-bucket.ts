/** Rate limit: a burst of `burst`, and `perSecond` in the long run. */
export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** Token buckets by key (a peer); a key that has been quiet long enough to be full again is forgotten. */
export class TokenBuckets {
  readonly #limit: RateLimit
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(limit: RateLimit) {
    this.#limit = limit
  }

  /**
   * Takes tokens, all or none.
   *
   * @param now milliseconds of a clock that does not go backwards
   * @returns whether there were enough
   */
  take(key: string, now: number, count = 1): boolean {
    const { perSecond, burst } = this.#limit
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now }
    const tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
    // Deleted and set again to keep the map ordered by last use.
    this.#buckets.delete(key)
    this.#buckets.set(key, { tokens: tokens >= count ? tokens - count : tokens, at: now })
    this.#forgetQuiet(now)
    return tokens >= count
  }

  /** Number of remembered keys. */
  get size(): number {
    return this.#buckets.size
  }

  #forgetQuiet(now: number): void {
    const secondsToFill = this.#limit.burst / this.#limit.perSecond
    for (const [key, { at }] of this.#buckets) {
      if (now - at < secondsToFill * 1000) return
      this.#buckets.delete(key)
    }
  }
}
