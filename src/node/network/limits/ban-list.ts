/** Offences: behaviour that honest peers never show, or rarely. */
export type Offence =
  /** Malformed bytes: a broken or oversized frame, or a non-canonical encoding. */
  | 'malformed'
  /** Bytes that can be read and are wrong: a false signature, a block with another digest. */
  | 'false'
  /** More than a limit allows: an honest peer is over one now and then. */
  | 'excess'
  /** So much at once that no honest peer comes near it. */
  | 'flood'

/** Points per offence; {@link LIMIT} points lead to a ban. */
const POINTS: Readonly<Record<Offence, number>> = { malformed: 20, false: 10, excess: 1, flood: 50 }
const LIMIT = 90
/** Points that decay per second: occasional offences never add up. */
const FORGIVEN_PER_SECOND = 1 / 3
/** Maximum number of peers remembered; the least recent offender is forgotten first. Strangers never get this far. */
const PEERS_MAX = 4096

/** How long bans last, milliseconds. */
export interface BanTimes {
  /** The first ban; each further one is twice as long. */
  readonly firstMs: number
  readonly longestMs: number
  /** After this time without a ban the next one counts as the first again. */
  readonly forgottenMs: number
}

/** Long enough to slow an attack down, short enough for a member to return after updating an old version. */
export const BAN_TIMES: BanTimes = { firstMs: 30_000, longestMs: 600_000, forgottenMs: 3_600_000 }

/** An active ban. */
export interface Ban {
  readonly peer: string
  /** Remaining milliseconds. */
  readonly leftMs: number
  /** The number of this ban, counting from 1. */
  readonly times: number
}

interface Conduct {
  points: number
  at: number
  times: number
  until: number
}

/** Recent misbehaviour of peers, and their bans. Every ban expires. */
export class BanList {
  readonly #times: BanTimes
  readonly #conducts = new Map<string, Conduct>()

  constructor(times: BanTimes = BAN_TIMES) {
    this.#times = times
  }

  /**
   * Records an offence.
   *
   * @param now milliseconds of a clock that does not go backwards
   * @returns the resulting ban; undefined if there is none, or one is active already
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
    // Deleted and set again to keep the map ordered by last offence.
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

  /** All active bans. */
  bans(now: number): Ban[] {
    return [...this.#conducts]
      .filter(([, { until }]) => until > now)
      .map(([peer, { until, times }]) => ({ peer, leftMs: until - now, times }))
  }

  /** Number of peers remembered. */
  get size(): number {
    return this.#conducts.size
  }

  #forget(): void {
    if (this.#conducts.size <= PEERS_MAX) return
    const [quietest] = this.#conducts.keys()
    this.#conducts.delete(quietest!)
  }
}
