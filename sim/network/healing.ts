import type { Copy } from '../consortium/copy.ts'
import type { RoundStage } from '../world/round-stage.ts'
import type { World } from '../world/world.ts'
import type { CrashRestart } from './crash-restart.ts'
import { patience } from './patience.ts'

/** Ends the bad weather of a round, and checks that the round ends in time afterwards. */
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

  /** Lets a round heal when its script is over, or at the latest when its weather says so. */
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
      // Everybody sealed it, possibly so long ago that nothing else about it is remembered.
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

  /** Notes how long a round took, once all members have sealed it except those that are away by plan. */
  sealed(round: number): void {
    const limit = this.#limits.get(round)
    if (limit === undefined || this.#late(round).length > 0) return
    this.#limits.delete(round)
    this.strain = Math.max(this.strain, (this.#world.queue.now - limit.from) / limit.milliseconds)
  }
}
