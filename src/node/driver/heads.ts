import { hex, type RoundContext } from '../../protocol/index.ts'

/** The round that each member reports in its sync answers. */
export class Heads {
  readonly #rounds = new Map<string, number>()
  #proved = { through: 0, claimed: 0 }

  /** @param peer bytes of the PeerId */
  note(peer: Uint8Array, round: number): void {
    this.#rounds.set(hex(peer), round)
  }

  /** The round that a member last reported. */
  of(peer: Uint8Array): number | undefined {
    return this.#rounds.get(hex(peer))
  }

  /**
   * Records that the rounds before `through` are sealed, each by a quorum of the members that the one before left, as
   * shown by a peer that claims to be in round `claimed`.
   */
  prove(through: number, claimed: number): void {
    this.#proved = { through, claimed: Math.max(through, claimed) }
  }

  /**
   * Rule 16 *Catch-up*: the round that f + 1 members of this round report to have reached, so that at least one of them
   * is honest; this peer's own round if too few report. If all of them have left, valid seals are the proof, and a
   * larger claim counts only for the rounds that they cover.
   */
  ahead({ members, faulty, round }: RoundContext): number {
    const told = members.flatMap(({ peer }) => this.#rounds.get(hex(peer)) ?? [])
    const reached = told.sort((left, right) => right - left)[faulty] ?? round
    return round < this.#proved.through ? Math.max(reached, this.#proved.claimed) : reached
  }
}
