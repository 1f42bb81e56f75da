/** How many requests are answered at once. */
export interface ServingPlaces {
  readonly requestsAtOnce: number
  readonly requestsPerPeer: number
  /** How long a place is kept for an asker that was sent away, milliseconds: longer than it was told to wait. */
  readonly keptMs: number
}

/**
 * Whose request is answered next, where there are more than can be at once. An asker that is sent away with nothing under
 * way finds a place when it comes back: others, however often they ask, are sent away meanwhile, first come first served.
 */
export class ServingTurns {
  readonly #places: ServingPlaces
  readonly #underWay = new Map<string, number>()
  /** Who was sent away, in the order of their first try, and until when a place is kept. */
  readonly #waiting = new Map<string, number>()
  #total = 0

  constructor(places: ServingPlaces) {
    this.#places = places
  }

  /**
   * Takes a place for a request.
   *
   * @param now milliseconds of a clock that does not go backwards
   * @returns false where the asker is to be sent away; else {@link end} is to be called
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

  /** Gives a place back. */
  end(peer: string): void {
    this.#total--
    const left = this.#underWay.get(peer)! - 1
    if (left > 0) this.#underWay.set(peer, left)
    else this.#underWay.delete(peer)
  }

  /** How many were sent away before a peer was. */
  #before(peer: string): number {
    let count = 0
    for (const name of this.#waiting.keys()) {
      if (name === peer) break
      count++
    }
    return count
  }
}
