import type { Copy } from '../consortium/copy.ts'
import type { RoundStage } from '../world/round-stage.ts'
import type { World } from '../world/world.ts'
import type { CrashRestart } from './crash-restart.ts'
import { patience } from './patience.ts'

/** Ends the faulty network conditions of a round, and checks that the round then ends in time. */
export class Healing {
  readonly #world: World
  readonly #crashes: CrashRestart
  readonly #limits = new Map<number, { from: number; milliseconds: number }>()
  /** How close a round came to its time limit, 0 to 1. */
  strain = 0

  constructor(world: World, crashes: CrashRestart) {
    this.#world = world
    this.#crashes = crashes
  }

  /** Lets a round heal when its script is over, or at the latest at the planned time. */
  watchOver(stage: RoundStage): void {
    this.#world.queue.later(stage.weather.healMs, () => this.heal(stage))
  }

  heal(stage: RoundStage): void {
    if (stage.healed) return
    stage.heal()
    const { copies, scenario, queue, watch } = this.#world
    for (const copy of copies) if (copy.state === undefined) this.#crashes.restart(copy)
    const { milliseconds, view } = patience(scenario, stage, copies)
    stage.viewLimit = view
    const { round } = stage.context
    this.#limits.set(round, { from: queue.now, milliseconds })
    queue.later(milliseconds, () => {
      // All have sealed it, possibly so long ago that everything else about it is forgotten.
      if (!this.#limits.has(round)) return
      const late = this.#late(round).map(({ name }) => name)
      if (late.length > 0)
        watch.note('stall', `round ${round}: ${late} did not seal within ${milliseconds} ms of healing`)
    })
  }

  #late(round: number): Copy[] {
    const done = this.#world.finished.get(round)
    return this.#world.honest.filter((copy) => copy.awayUntil === 0 && done?.has(copy) !== true)
  }

  /** Records how long a round took, once all members have sealed it except those whose absence is planned. */
  sealed(round: number): void {
    const limit = this.#limits.get(round)
    if (limit === undefined || this.#late(round).length > 0) return
    this.#limits.delete(round)
    this.strain = Math.max(this.strain, (this.#world.queue.now - limit.from) / limit.milliseconds)
  }
}
