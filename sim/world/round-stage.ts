import { hex } from '../../src/protocol/encoding/bytes.ts'
import type { Envelope, Message } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import { ScriptRunner } from '../adversary/script.ts'
import type { Copy } from '../consortium/copy.ts'
import type { Weather } from '../scenarios/scenario.ts'
import { SeededRandom } from '../support/seeded-random.ts'

/** Kinds whose slot is a view. */
const VIEW_KINDS: ReadonlySet<string> = new Set(['proposal', 'prevote', 'precommit'])

/** One round as the network sees it: its network conditions, its messages, and those held back until it heals. */
export class RoundStage {
  readonly context: RoundContext
  readonly weather: Weather
  readonly messages: Message[] = []
  readonly script: ScriptRunner | undefined
  readonly #copies: readonly Copy[]
  readonly #indices = new Map<string, number>()
  readonly #held: (() => void)[] = []
  healed = false
  /** Highest view that honest members may reach before the round counts as stalled; unlimited until it has healed. */
  viewLimit = Number.POSITIVE_INFINITY

  constructor(
    context: RoundContext,
    weather: Weather,
    copies: readonly Copy[],
    inject: (to: Copy, bytes: Uint8Array) => void
  ) {
    this.context = context
    this.weather = weather
    this.#copies = copies
    for (const [index, { peer }] of context.members.entries()) this.#indices.set(hex(peer), index)
    const firsts = new Map<number, Copy>()
    for (const copy of copies) {
      const index = this.#indices.get(hex(copy.peer))
      if (index !== undefined && copy.twin === 0) firsts.set(index, copy)
    }
    const { script } = weather
    if (script !== undefined)
      this.script = new ScriptRunner(script, { context, copies: firsts, messages: this.messages, inject })
  }

  /** Index of a member in this round, or −1. */
  indexOf(peer: Uint8Array): number {
    return this.#indices.get(hex(peer)) ?? -1
  }

  /** Whether `envelope` may go from one copy to another now. */
  passes(envelope: Envelope, from: Copy, to: Copy): boolean {
    if (this.healed) return true
    const view = VIEW_KINDS.has(envelope.kind) ? envelope.header.slot : 0
    if (this.areParted(from, to, view)) return false
    return (
      this.script === undefined ||
      this.script.passes(envelope, this.indexOf(envelope.header.author), this.indexOf(to.peer))
    )
  }

  /** Whether an author's certificate may arrive now. */
  passesCertificate(author: number): boolean {
    return this.healed || this.script === undefined || this.script.passesCertificate(author)
  }

  /** Changes when something may pass that was blocked before. */
  get openness(): number {
    return this.healed ? -1 : (this.script?.openness ?? 0)
  }

  /** Whether two copies are on different sides, in a view of the round. */
  areParted(from: Copy, to: Copy, view = 0): boolean {
    const { partition, partitionByView } = this.weather
    if (this.healed || from === to) return false
    return sideOf(from, view, partition, partitionByView) !== sideOf(to, view, partition, partitionByView)
  }

  /** Keeps a delivery until the round heals. */
  hold(deliver: () => void): void {
    if (!this.weather.losesHeld) this.#held.push(deliver)
  }

  /** Lets everything pass from now on. */
  heal(): void {
    this.healed = true
    for (const deliver of this.#held.splice(0)) deliver()
  }

  /** Copies that are currently in this round. */
  present(): Copy[] {
    return this.#copies.filter(({ state }) => state?.context.round === this.context.round)
  }
}

function sideOf(
  { person, twin }: Copy,
  view: number,
  partition: readonly number[] | undefined,
  byView: number | undefined
): number {
  if (byView !== undefined) return new SeededRandom(byView + 7919 * view + 31 * person).between(0, 1) ^ twin
  return partition === undefined ? 0 : (partition[person] ?? 0) ^ twin
}
