import { BATCH_BYTES_MAX } from './constants.ts'

/** What the fetch manager remembers of one provider. */
interface Provider {
  failures: number
  /** Not asked again before this moment. */
  notBefore: number
  /** Bytes a millisecond, of late; undefined before the first answer. */
  rate: number | undefined
  /** Blocks that it did not give, and when to ask for them again. */
  readonly missing: Map<string, { times: number; until: number }>
}

const FAILURE_DELAY_MS = 250
const FAILURE_DELAY_MS_MAX = 30_000
const MISSING_DELAY_MS = 250
const MISSING_DELAY_MS_MAX = 5000
/** A provider that breaks the protocol or sends wrong bytes stands back as one that failed this often. */
const LIE_FAILURES = 5
/** What is asked of a provider at once should come within this time, so that a slow one holds up little. */
const BATCH_MS = 1_000
const BATCH_BYTES_MIN = 64 * 1024
/** Weight of the newest answer in a provider's rate. */
const RATE_WEIGHT = 0.3

/** Who is asked next: providers that answered well first, the fast before the slow, those that failed later and later. */
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

  /** Whether `peer` answered when it was last asked, and did not ask for time. */
  isHealthy(peer: string, now: number): boolean {
    const { failures, notBefore } = this.#of(peer)
    return failures === 0 && notBefore <= now
  }

  /** Whether `peer` may be asked for `digest`: not soon after it did not give it. */
  mayHave(peer: string, digest: string, now: number): boolean {
    return (this.#of(peer).missing.get(digest)?.until ?? 0) <= now
  }

  /** Bytes to ask of a provider at once: fewer of a slow one. */
  batchBytes(peer: string): number {
    const { rate } = this.#of(peer)
    if (rate === undefined) return BATCH_BYTES_MAX
    return Math.min(BATCH_BYTES_MAX, Math.max(BATCH_BYTES_MIN, rate * BATCH_MS))
  }

  /** Notes a block that came. */
  succeeded(peer: string): void {
    this.#of(peer).failures = 0
  }

  /** Notes how long a whole batch took. */
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

  /** Notes that a provider does not have a block. */
  lacks(peer: string, digest: string, now: number): void {
    const { missing } = this.#of(peer)
    const times = (missing.get(digest)?.times ?? 0) + 1
    const delay = Math.min(MISSING_DELAY_MS_MAX, MISSING_DELAY_MS * 2 ** Math.min(times, 10))
    missing.set(digest, { times, until: now + delay })
  }

  /** Notes that a provider gives a block only from a moment on. */
  withholds(peer: string, digest: string, until: number): void {
    this.#of(peer).missing.set(digest, { times: 0, until })
  }

  /** Forgets a block that is wanted no longer. */
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

/** Steps of a factor four, so that providers of about one speed are taken in random order; an unknown one counts as fast. */
function slowness({ rate }: Provider): number {
  return rate === undefined ? 0 : Math.max(0, Math.round(Math.log2(1000 / rate) / 2))
}
