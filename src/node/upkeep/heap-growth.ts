import { setFlagsFromString } from 'node:v8'
import type { NetworkHost } from '../network/index.ts'

/** How far the heap may grow over what lived after the last full collection until the next begins, percent. */
const GROWTH_PERCENT = 300
/** Says nothing: V8 decides by its own measure. */
const BY_ITSELF = 0
const LOOK_MS = 500
/** From so much traffic on, bytes a second, it is what fills the heap. */
const BUSY_BYTES_PER_SECOND = 2 * 2 ** 20
/** How long there has to be less until V8 decides by itself again. */
const QUIET_MS = 10_000

/** Whether there is much traffic, or was a moment ago. */
export class BusyTime {
  #bytes = 0
  #at: number | undefined
  #busyUntil = Number.NEGATIVE_INFINITY

  /**
   * @param bytes all that has passed since the start
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
 * Lets a process collect its whole heap less often while many blocks pass through it. V8 counts each piece of memory that
 * comes off a socket as growth of the heap, and allows little of it where collecting is slow, as on a busy machine: of
 * eight peers on two cores each looked through the 25 MB of its objects for every 5 MB that passed, and took two fifths
 * less processor time without that. At other times V8 decides by itself, so that a quiet peer stays small.
 *
 * For programs, not for the library: the setting is the whole process's.
 *
 * @returns a function that ends it
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

/** The same for good, or no more: for a program that does nothing but move bytes. */
export function letHeapGrow(isAllowed = true): void {
  setFlagsFromString(`--heap-growing-percent=${isAllowed ? GROWTH_PERCENT : BY_ITSELF}`)
}
