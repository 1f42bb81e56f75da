import { clipAdapter, type LoraAdapter, type StackMember } from '../../src/adapter/index.ts'
import { maximumFaulty } from '../../src/protocol/index.ts'
import type { Judge, Judging } from './endorsements.ts'

/** Harm, nats per token, below which nobody is left out. */
const HARM_MIN = 0.015
/** How many times the harm of those who are kept. */
const TIMES = 2

/**
 * A defence that is tried out here, and that no charter has: members remember by how much the updates of each author would
 * have raised the loss on their own text, at their share of the stack, and the authors that did most harm so far are left
 * out, f of them at most.
 *
 * What counts of an author is the median of what the others report. Poisoners report the worst of honest members and the
 * best of one another.
 */
export class Reputation {
  readonly #judges: readonly Judge[]
  /** By author and judge, over all rounds. */
  readonly #harms: number[][]

  constructor(judges: readonly Judge[]) {
    this.#judges = judges
    this.#harms = judges.map(() => judges.map(() => 0))
  }

  /** Measures what members sent in a round, stacked or not; undefined where nothing sound was sent. */
  async note(
    sent: readonly (StackMember | undefined)[],
    { evaluator, weights, clipNormOf }: Pick<Judging, 'evaluator' | 'weights' | 'clipNormOf'>
  ): Promise<void> {
    for (const [judge, { heldOut }] of this.#judges.entries()) {
      if (heldOut === undefined) continue
      const lossWith = (update?: LoraAdapter) =>
        evaluator.loss({
          ...{ weights, ids: heldOut.ids, scored: heldOut.weights, update },
          check: () => undefined
        })
      const before = await lossWith()
      for (const [author, member] of sent.entries()) {
        if (member === undefined || author === judge) continue
        const update = atShare(clipAdapter(member.adapter, clipNormOf), sent.length)
        const harm = (await lossWith(update)) - before
        this.#harms[author]![judge]! += Number.isNaN(harm) ? Number.POSITIVE_INFINITY : harm
      }
    }
  }

  /** The harm of an author that counts. */
  harmOf(author: number): number {
    const isPoisoner = (member: number) => this.#judges[member]!.heldOut === undefined
    const reports = this.#judges
      .map((_, judge) => judge)
      .filter((judge) => judge !== author)
      .map((judge) => {
        if (!isPoisoner(judge)) return this.#harms[author]![judge]!
        return isPoisoner(author) ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
      })
      .sort((left, right) => left - right)
    return reports[Math.floor(reports.length / 2)]!
  }

  /** The authors that are left out of the next round. */
  leftOut(): number[] {
    const most = maximumFaulty(this.#judges.length)
    const order = this.#judges
      .map((_, author) => ({ author, harm: this.harmOf(author) }))
      .sort((left, right) => right.harm - left.harm)
    const kept = Math.max(0, order[most]!.harm)
    return order
      .slice(0, most)
      .filter(({ harm }) => harm > HARM_MIN && harm > TIMES * kept)
      .map(({ author }) => author)
  }
}

function atShare({ pairs }: LoraAdapter, members: number): LoraAdapter {
  return { pairs: pairs.map((pair) => ({ ...pair, B: pair.B.map((element) => element / members) })) }
}
