import { setTimeout as delay } from 'node:timers/promises'

/** Burst after a silence, in milliseconds of the rate. */
const BURST_MS = 250

/** A limit on bytes per second over all askers; those waiting are served in order of arrival. */
export class UploadLimit {
  readonly #bytesPerMs: number
  /** Time at which everything admitted will have been sent. */
  #freeAt = Number.NEGATIVE_INFINITY

  /** @param bytesPerSecond undefined for no limit */
  constructor(bytesPerSecond: number | undefined) {
    this.#bytesPerMs = (bytesPerSecond ?? Number.POSITIVE_INFINITY) / 1000
  }

  /** Reserves a turn. @returns the delay before it, milliseconds */
  reserve(bytes: number, now: number): number {
    this.#freeAt = Math.max(this.#freeAt, now - BURST_MS) + bytes / this.#bytesPerMs
    return Math.max(0, this.#freeAt - now)
  }

  /** Waits until `bytes` may be sent. */
  async admit(bytes: number): Promise<void> {
    const wait = this.reserve(bytes, performance.now())
    if (wait > 0) await delay(wait)
  }
}
