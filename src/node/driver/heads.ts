import { hex, type RoundContext } from '../../protocol/index.ts'

/** Which round each member says it is in, from its sync answers. */
export class Heads {
  readonly #rounds = new Map<string, number>()

  /** @param peer bytes of the PeerId */
  note(peer: Uint8Array, round: number): void {
    this.#rounds.set(hex(peer), round)
  }

  /** The round that a member last said it is in. */
  of(peer: Uint8Array): number | undefined {
    return this.#rounds.get(hex(peer))
  }

  /**
   * Rule 16 *Catch-up*: the round that f + 1 members of this round say they have reached, so an honest one has; the own
   * round where too few say anything.
   */
  ahead({ members, faulty, round }: RoundContext): number {
    const told = members.flatMap(({ peer }) => this.#rounds.get(hex(peer)) ?? [])
    return told.sort((left, right) => right - left)[faulty] ?? round
  }
}
