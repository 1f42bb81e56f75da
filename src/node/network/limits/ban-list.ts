/** What a peer did that an honest one does not do, or not often. */
export type Offence =
  /** Bytes that cannot be read: no frame, too long a frame, no canonical encoding. */
  | 'malformed'
  /** Bytes that can be read and are wrong: a false signature, a block with another digest. */
  | 'false'
  /** More than a limit allows: an honest peer is over one now and then. */
  | 'excess'
  /** So much at once that no honest peer comes near it. */
  | 'flood'

/** Points of each offence; a ban comes at {@link LIMIT}. */
const POINTS: Readonly<Record<Offence, number>> = { malformed: 20, false: 10, excess: 1, flood: 50 }
const LIMIT = 90
/** Points forgotten in a second: an offence now and then never adds up. */
const FORGIVEN_PER_SECOND = 1 / 3
/** Peers remembered; the one that was quiet the longest is forgotten first. Strangers never get this far. */
const PEERS_MAX = 4096

/** How long bans last, milliseconds. */
export interface BanTimes {
  /** The first ban; each further one is twice as long as the one before. */
  readonly firstMs: number
  readonly longestMs: number
  /** After so long without a new ban the next one counts as the first again. */
  readonly forgottenMs: number
}

/** Long enough to take the fun out of an attack, short enough for a member that has an old version to come back with a new. */
export const BAN_TIMES: BanTimes = { firstMs: 30_000, longestMs: 600_000, forgottenMs: 3_600_000 }

/** A ban that lasts. */
export interface Ban {
  readonly peer: string
  /** Milliseconds that are left. */
  readonly leftMs: number
  /** Which one it is, counting from 1. */
  readonly times: number
}

interface Conduct {
  points: number
  at: number
  times: number
  until: number
}

/** Who has misbehaved how much of late, and who is shut out for how long. Bans end by themselves, always. */
export class BanList {
  readonly #times: BanTimes
  readonly #conducts = new Map<string, Conduct>()

  constructor(times: BanTimes = BAN_TIMES) {
    this.#times = times
  }

  /**
   * Notes an offence.
   *
   * @param now milliseconds of a clock that does not go backwards
   * @returns the ban that it brings about; undefined where it brings none, or one lasts already
   */
  note(peer: string, offence: Offence, now: number): Ban | undefined {
    const { firstMs, longestMs, forgottenMs } = this.#times
    const known = this.#conducts.get(peer) ?? {
      points: 0,
      at: now,
      times: 0,
      until: Number.NEGATIVE_INFINITY
    }
    if (known.until > now) return undefined
    const points =
      Math.max(0, known.points - ((now - known.at) / 1000) * FORGIVEN_PER_SECOND) + POINTS[offence]
    // Deleted and set again, so that the map stays ordered by last offence.
    this.#conducts.delete(peer)
    if (points < LIMIT) {
      this.#conducts.set(peer, { ...known, points, at: now })
      this.#forget()
      return undefined
    }
    const times = now - known.until > forgottenMs ? 1 : known.times + 1
    const leftMs = Math.min(longestMs, firstMs * 2 ** (times - 1))
    this.#conducts.set(peer, { points: 0, at: now, times, until: now + leftMs })
    this.#forget()
    return { peer, leftMs, times }
  }

  isBanned(peer: string, now: number): boolean {
    return (this.#conducts.get(peer)?.until ?? Number.NEGATIVE_INFINITY) > now
  }

  /** All bans that last. */
  bans(now: number): Ban[] {
    return [...this.#conducts]
      .filter(([, { until }]) => until > now)
      .map(([peer, { until, times }]) => ({ peer, leftMs: until - now, times }))
  }

  /** Peers remembered. */
  get size(): number {
    return this.#conducts.size
  }

  #forget(): void {
    if (this.#conducts.size <= PEERS_MAX) return
    const [quietest] = this.#conducts.keys()
    this.#conducts.delete(quietest!)
  }
}
