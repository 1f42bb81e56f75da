import { BATCH_BYTES_MAX } from './constants.ts'

/** What the fetch manager remembers about a provider. */
interface Provider {
  failures: number
  /** Not asked again before this time. */
  notBefore: number
  /** Recent rate, bytes per millisecond; undefined before the first answer. */
  rate: number | undefined
  /** Blocks that it did not deliver, and when to ask for them again. */
  readonly missing: Map<string, { times: number; until: number }>
}

const FAILURE_DELAY_MS = 250
const FAILURE_DELAY_MS_MAX = 30_000
const MISSING_DELAY_MS = 250
const MISSING_DELAY_MS_MAX = 5000
/** Number of failures that a protocol violation or wrong bytes count as. */
const LIE_FAILURES = 5
/** Target duration of one request, so that a slow provider delays little. */
const BATCH_MS = 1_000
const BATCH_BYTES_MIN = 64 * 1024
/** Weight of the newest answer in a provider's rate. */
const RATE_WEIGHT = 0.3

/** Ranks providers: reliable before failing ones, fast before slow ones, with growing delays after failures. */
export class ProviderBook {
  readonly #providers = new Map<string, Provider>()

  /** Providers free to be asked at `now`, the most reliable first, then the fastest, equals in random order. */
  ready(peers: readonly string[], now: number, random: () => number): string[] {
    return peers
      .map((peer) => ({ peer, provider: this.#of(peer), tie: random() }))
      .filter(({ provider }) => provider.notBefore <= now)
      .sort(
        (a, b) =>
          a.provider.failures - b.provider.failures ||
          slowness(a.provider) - slowness(b.provider) ||
          a.tie - b.tie
      )
      .map(({ peer }) => peer)
  }

  /** Whether the last request to `peer` succeeded without a busy answer. */
  isHealthy(peer: string, now: number): boolean {
    const { failures, notBefore } = this.#of(peer)
    return failures === 0 && notBefore <= now
  }

  /** Whether `peer` may be asked for `digest`: not shortly after it failed to deliver it. */
  mayHave(peer: string, digest: string, now: number): boolean {
    return (this.#of(peer).missing.get(digest)?.until ?? 0) <= now
  }

  /** Bytes to request from a provider at once; fewer for a slow one. */
  batchBytes(peer: string): number {
    const { rate } = this.#of(peer)
    if (rate === undefined) return BATCH_BYTES_MAX
    return Math.min(BATCH_BYTES_MAX, Math.max(BATCH_BYTES_MIN, rate * BATCH_MS))
  }

  /** Records a received block. */
  succeeded(peer: string): void {
    this.#of(peer).failures = 0
  }

  /** Records the duration of a whole batch. */
  measured(peer: string, bytes: number, milliseconds: number): void {
    const provider = this.#of(peer)
    const rate = bytes / Math.max(milliseconds, 0.1)
    provider.rate = provider.rate === undefined ? rate : provider.rate + RATE_WEIGHT * (rate - provider.rate)
  }

  failed(peer: string, now: number, lied: boolean): void {
    const provider = this.#of(peer)
    provider.failures += lied ? LIE_FAILURES : 1
    provider.notBefore =
      now + Math.min(FAILURE_DELAY_MS_MAX, FAILURE_DELAY_MS * 2 ** Math.min(provider.failures, 10))
  }

  busyUntil(peer: string, moment: number): void {
    this.#of(peer).notBefore = moment
  }

  /** Records that a provider lacks a block. */
  lacks(peer: string, digest: string, now: number): void {
    const { missing } = this.#of(peer)
    const times = (missing.get(digest)?.times ?? 0) + 1
    const delay = Math.min(MISSING_DELAY_MS_MAX, MISSING_DELAY_MS * 2 ** Math.min(times, 10))
    missing.set(digest, { times, until: now + delay })
  }

  /** Records the time from which a provider will deliver a block. */
  withholds(peer: string, digest: string, until: number): void {
    this.#of(peer).missing.set(digest, { times: 0, until })
  }

  /** Forgets a block that is no longer wanted. */
  forget(digest: string): void {
    for (const { missing } of this.#providers.values()) missing.delete(digest)
  }

  #of(peer: string): Provider {
    let provider = this.#providers.get(peer)
    if (provider === undefined) {
      provider = { failures: 0, notBefore: 0, rate: undefined, missing: new Map() }
      this.#providers.set(peer, provider)
    }
    return provider
  }
}

/**
 * Rates in steps of a factor four, so that providers of similar speed are chosen in random order; unknown ones count as
 * fast.
 */
function slowness({ rate }: Provider): number {
  return rate === undefined ? 0 : Math.max(0, Math.round(Math.log2(1000 / rate) / 2))
}
