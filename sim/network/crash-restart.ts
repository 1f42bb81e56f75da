import { restore } from '../../src/protocol/machine.ts'
import { UNKNOWN_ROUND } from '../../src/protocol/state/effects.ts'
import { type Copy, isHonest } from '../consortium/copy.ts'
import type { Crash } from '../scenarios/scenario.ts'
import { stageOf, type World } from '../world/world.ts'
import type { BlockExchange } from './block-exchange.ts'

/** Stops copies between any two of their effects, and restarts them from their disks. */
export class CrashRestart {
  readonly #world: World
  readonly #blocks: BlockExchange

  constructor(world: World, blocks: BlockExchange) {
    this.#world = world
    this.#blocks = blocks
  }

  /** The crash that comes before a copy's next effect, if there is one. */
  dueTo(copy: Copy): Crash | undefined {
    const stage = stageOf(this.#world, copy)
    if (stage === undefined || stage.healed) return undefined
    return stage.weather.crashes.find(
      ({ member, afterEffects }) => member === copy.person && afterEffects === copy.effects
    )
  }

  /** Stops a copy before an effect: a record that was being written is torn, and cut off when the log is read again. */
  crash(copy: Copy, { downMs, losesLog }: Crash): void {
    const { queue, watch } = this.#world
    if (losesLog) this.#lose(copy)
    this.#stop(copy)
    watch.forgot(copy)
    const { life } = copy
    queue.later(downMs, () => copy.life === life && copy.state === undefined && this.restart(copy))
  }

  /** Stops a copy until some honest member begins a round. */
  leaveUntil(copy: Copy, round: number): void {
    copy.awayUntil = round
    this.#stop(copy)
    this.#world.watch.forgot(copy)
  }

  /** Starts the copies that were away until this round. */
  comeBack(round: number): void {
    for (const copy of this.#world.copies) {
      if (copy.awayUntil === 0 || copy.awayUntil > round) continue
      copy.awayUntil = 0
      this.restart(copy)
    }
  }

  #stop(copy: Copy): void {
    copy.life++
    copy.effects++
    copy.state = undefined
  }

  /** Loses the disk except for the key and the charter, which the new log records (rule 17). */
  #lose(copy: Copy): void {
    copy.lostIn = copy.state?.context.round ?? copy.lostIn
    copy.log = [{ type: 'silent', through: UNKNOWN_ROUND }]
    copy.sealed = new Map()
    copy.told = new Map()
    copy.context = this.#world.genesis
    this.#blocks.lose(copy)
  }

  restart(copy: Copy): void {
    if (copy.awayUntil > 0) return
    copy.life++
    // The shell begins a round only from the sealed model, rebuilding it if necessary.
    copy.model = copy.context.modelDigest
    copy.built = undefined
    try {
      this.#world.carryOut(copy, restore(copy.context, copy.log, copy.environment))
    } catch (error) {
      if (isHonest(copy)) this.#world.watch.note('throw', `${copy.name}: ${(error as Error).stack}`)
    }
  }
}
