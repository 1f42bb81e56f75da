import { setTimeout as delay } from 'node:timers/promises'

/** What may be sent at once after a silence, milliseconds of the rate. */
const BURST_MS = 250

/** A cap on the bytes that all askers together get in a second; who waits is served in the order of arrival. */
export class UploadLimit {
  readonly #bytesPerMs: number
  /** When the line will have sent all that was admitted. */
  #freeAt = Number.NEGATIVE_INFINITY

  /** @param bytesPerSecond undefined for no cap */
  constructor(bytesPerSecond: number | undefined) {
    this.#bytesPerMs = (bytesPerSecond ?? Number.POSITIVE_INFINITY) / 1000
  }

  /** Takes a turn on the line. @returns how long to wait for it, milliseconds */
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
