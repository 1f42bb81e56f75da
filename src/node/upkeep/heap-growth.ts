import { setFlagsFromString } from 'node:v8'
import type { NetworkHost } from '../network/index.ts'

/** Growth of the heap since the last full collection at which the next one starts, percent. */
const GROWTH_PERCENT = 300
/** Leaves the decision to V8. */
const BY_ITSELF = 0
const LOOK_MS = 500
/** Traffic from which it dominates heap growth, bytes per second. */
const BUSY_BYTES_PER_SECOND = 2 * 2 ** 20
/** Time of less traffic after which V8 decides again. */
const QUIET_MS = 10_000

/** Detects heavy traffic, now or a moment ago. */
export class BusyTime {
  #bytes = 0
  #at: number | undefined
  #busyUntil = Number.NEGATIVE_INFINITY

  /**
   * @param bytes total since the start
   * @param now milliseconds of a clock that does not go backwards
   */
  look(bytes: number, now: number): boolean {
    if (this.#at !== undefined && bytes - this.#bytes > ((now - this.#at) / 1000) * BUSY_BYTES_PER_SECOND)
      this.#busyUntil = now + QUIET_MS
    this.#bytes = bytes
    this.#at = now
    return now < this.#busyUntil
  }
}

/**
 * Makes full garbage collections less frequent while many blocks pass through a process. V8 counts every buffer from a
 * socket as heap growth, and allows little of it when collections are slow, as on a busy machine: with eight peers on
 * two cores, each scanned its 25 MB of objects for every 5 MB of traffic, and used two fifths less processor time
 * without that. At other times V8 decides, so that a quiet peer stays small.
 *
 * For programs, not for the library: the setting is process-wide.
 *
 * @returns a function that stops it
 */
export function growHeapWithTraffic(traffic: Pick<NetworkHost['traffic'], 'totals'>): () => void {
  const busy = new BusyTime()
  let wasBusy = false
  const timer = setInterval(() => {
    let bytes = 0
    for (const { received, sent } of traffic.totals().values()) bytes += received + sent
    const isBusy = busy.look(bytes, performance.now())
    if (isBusy !== wasBusy) letHeapGrow(isBusy)
    wasBusy = isBusy
  }, LOOK_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    if (wasBusy) letHeapGrow(false)
  }
}

/** The same permanently, or no longer: for a program that only moves bytes. */
export function letHeapGrow(isAllowed = true): void {
  setFlagsFromString(`--heap-growing-percent=${isAllowed ? GROWTH_PERCENT : BY_ITSELF}`)
}
