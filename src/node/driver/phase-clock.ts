import type { Phase } from '../../protocol/index.ts'
import type { PhaseTimes } from '../home/peer-report.ts'

const NAMES: Readonly<Record<Phase, keyof PhaseTimes>> = {
  training: 'train',
  gathering: 'gather',
  deciding: 'decide',
  stacking: 'stack',
  sealing: 'seal'
}

/** Measures how long a round stays in each phase. Times are milliseconds of a monotonic clock. */
export class PhaseClock {
  #phase: Phase = 'training'
  #since: number
  #times = { train: 0, gather: 0, decide: 0, stack: 0, seal: 0 }

  constructor(now: number) {
    this.#since = now
  }

  /** Records the start of `phase`. */
  enter(phase: Phase, now: number): void {
    if (phase === this.#phase) return
    this.#times[NAMES[this.#phase]] += now - this.#since
    this.#phase = phase
    this.#since = now
  }

  /** The finished round's times, rounded to whole milliseconds; starts over for the next round. */
  finish(now: number): PhaseTimes {
    this.#times[NAMES[this.#phase]] += now - this.#since
    const entries = Object.entries(this.#times).map(([name, milliseconds]) => [
      name,
      Math.round(milliseconds)
    ])
    this.#times = { train: 0, gather: 0, decide: 0, stack: 0, seal: 0 }
    this.#phase = 'training'
    this.#since = now
    return Object.fromEntries(entries) as PhaseTimes
  }
}
