import { hex } from '../../src/protocol/encoding/bytes.ts'
import type { Message } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import { allSlots } from '../../src/protocol/state/slots.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import type { Copy } from '../consortium/copy.ts'

/** Consecutive rounds without a message after which a member is not waited for. */
const GONE_AFTER = 3

/** What one copy has heard since its last start. */
interface Listening {
  /** Of a copy that has started again, another. */
  readonly life: number
  /** Members heard in a round, by its parent. */
  readonly heard: WeakMap<Uint8Array, Set<string>>
  /** Consecutive rounds in which a member was not heard, by PeerId in hex. */
  unheard: Map<string, number>
}

/**
 * The members that a copy has not heard for rounds. In doubt they count as heard: after a step that spans several rounds,
 * and in a round in which the copy itself sent no ready.
 */
export class Absences {
  readonly #listening = new Map<Copy, Listening>()

  heard(copy: Copy, { context }: PeerState, { header }: Message): void {
    this.#heardIn(copy, context).add(hex(header.author))
  }

  /** A copy leaves a round, in which it last had this state, for another. */
  left(copy: Copy, state: PeerState, next: RoundContext): void {
    const of = this.#of(copy)
    const { context } = state
    if (next.round !== context.round + 1) {
      of.unheard = new Map()
      return
    }
    const unheard = new Map<string, number>()
    for (const [member, { peer }] of context.members.entries()) {
      const name = hex(peer)
      const before = of.unheard.get(name) ?? 0
      if (this.#isHeard(copy, state, member) || !context.trainers.includes(member)) continue
      unheard.set(name, state.missing === undefined ? before : before + 1)
    }
    of.unheard = unheard
  }

  isGone(copy: Copy, state: PeerState, member: number): boolean {
    const before = this.#of(copy).unheard.get(hex(state.context.members[member]!.peer)) ?? 0
    return before >= GONE_AFTER && !this.#isHeard(copy, state, member)
  }

  forget(copy: Copy): void {
    this.#listening.delete(copy)
  }

  #isHeard(copy: Copy, state: PeerState, member: number): boolean {
    return (
      this.#heardIn(copy, state.context).has(hex(state.context.members[member]!.peer)) ||
      allSlots(state).some(({ byAuthor }) => byAuthor.has(member))
    )
  }

  #heardIn(copy: Copy, { parent }: RoundContext): Set<string> {
    const { heard } = this.#of(copy)
    const known = heard.get(parent) ?? new Set<string>()
    heard.set(parent, known)
    return known
  }

  #of(copy: Copy): Listening {
    const known = this.#listening.get(copy)
    if (known !== undefined && known.life === copy.life) return known
    const listening = { life: copy.life, heard: new WeakMap(), unheard: new Map() }
    this.#listening.set(copy, listening)
    return listening
  }
}
