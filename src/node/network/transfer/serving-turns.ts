/** Limits of concurrent requests. */
export interface ServingPlaces {
  readonly requestsAtOnce: number
  readonly requestsPerPeer: number
  /** Time that a refused asker's place is kept, milliseconds: longer than the delay it was given. */
  readonly keptMs: number
}

/**
 * Decides whose request is answered when there are too many. A refused asker without pending requests finds a place
 * when it returns: meanwhile others are refused however often they ask, first come first served.
 */
export class ServingTurns {
  readonly #places: ServingPlaces
  readonly #underWay = new Map<string, number>()
  /** Refused askers in the order of their first try, and until when their place is kept. */
  readonly #waiting = new Map<string, number>()
  #total = 0

  constructor(places: ServingPlaces) {
    this.#places = places
  }

  /**
   * Acquires a place for a request.
   *
   * @param now milliseconds of a clock that does not go backwards
   * @returns false if the asker must be refused; otherwise {@link end} must be called
   */
  begin(peer: string, now: number): boolean {
    const { requestsAtOnce, requestsPerPeer, keptMs } = this.#places
    for (const [name, until] of this.#waiting) if (until <= now) this.#waiting.delete(name)
    const own = this.#underWay.get(peer) ?? 0
    if (own >= requestsPerPeer) return false
    if (this.#total + this.#before(peer) >= requestsAtOnce) {
      if (own === 0) this.#waiting.set(peer, now + keptMs)
      return false
    }
    this.#waiting.delete(peer)
    this.#underWay.set(peer, own + 1)
    this.#total++
    return true
  }

  /** Releases a place. */
  end(peer: string): void {
    this.#total--
    const left = this.#underWay.get(peer)! - 1
    if (left > 0) this.#underWay.set(peer, left)
    else this.#underWay.delete(peer)
  }

  /** Number of askers refused before this one. */
  #before(peer: string): number {
    let count = 0
    for (const name of this.#waiting.keys()) {
      if (name === peer) break
      count++
    }
    return count
  }
}
