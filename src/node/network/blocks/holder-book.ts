/** What the fetch manager remembers of one holder. */
interface Holder {
  failures: number
  /** Not asked again before this moment. */
  notBefore: number
  /** Whether a stream to it is open. */
  busy: boolean
  /** Blocks that it did not have, and when to ask for them again. */
  readonly missing: Map<string, { times: number; until: number }>
}

const FAILURE_DELAY_MS = 250
const FAILURE_DELAY_MS_MAX = 30_000
const MISSING_DELAY_MS = 250
const MISSING_DELAY_MS_MAX = 5000
/** A holder that breaks the protocol or sends wrong bytes stands back as one that failed this often. */
const LIE_FAILURES = 5

/** Who is asked next: holders that answered well first, those that failed later and later. */
export class HolderBook {
  readonly #holders = new Map<string, Holder>()

  /** Holders free to be asked at `now`, the most reliable first, equals in random order. */
  ready(peers: readonly string[], now: number, random: () => number): string[] {
    return peers
      .map((peer) => ({ peer, holder: this.#of(peer), tie: random() }))
      .filter(({ holder }) => !holder.busy && holder.notBefore <= now)
      .sort((a, b) => a.holder.failures - b.holder.failures || a.tie - b.tie)
      .map(({ peer }) => peer)
  }

  /** Whether `peer` may be asked for `digest`: not soon after it said that it lacks it. */
  mayHave(peer: string, digest: string, now: number): boolean {
    return (this.#of(peer).missing.get(digest)?.until ?? 0) <= now
  }

  begin(peer: string): void {
    this.#of(peer).busy = true
  }

  end(peer: string): void {
    this.#of(peer).busy = false
  }

  succeeded(peer: string): void {
    this.#of(peer).failures = 0
  }

  failed(peer: string, now: number, lied: boolean): void {
    const holder = this.#of(peer)
    holder.failures += lied ? LIE_FAILURES : 1
    holder.notBefore =
      now + Math.min(FAILURE_DELAY_MS_MAX, FAILURE_DELAY_MS * 2 ** Math.min(holder.failures, 10))
  }

  busyUntil(peer: string, moment: number): void {
    this.#of(peer).notBefore = moment
  }

  lacks(peer: string, digest: string, now: number): void {
    const { missing } = this.#of(peer)
    const times = (missing.get(digest)?.times ?? 0) + 1
    missing.set(digest, {
      times,
      until: now + Math.min(MISSING_DELAY_MS_MAX, MISSING_DELAY_MS * 2 ** Math.min(times, 10))
    })
  }

  /** Forgets a block that is wanted no longer. */
  forget(digest: string): void {
    for (const { missing } of this.#holders.values()) missing.delete(digest)
  }

  #of(peer: string): Holder {
    let holder = this.#holders.get(peer)
    if (holder === undefined) {
      holder = { failures: 0, notBefore: 0, busy: false, missing: new Map() }
      this.#holders.set(peer, holder)
    }
    return holder
  }
}
