import { clipAdapter, type LoraAdapter, type StackMember } from '../../src/adapter/index.ts'
import type { TokenizedExample } from '../../src/data/index.ts'
import type { HeldWeights, UpdateEvaluator } from '../../src/model/index.ts'
import { quorumSize } from '../../src/protocol/index.ts'
import type { PoisonAttack } from './poison-attacks.ts'

/** A member and the text that it keeps back; a poisoner keeps back nothing. */
export interface Judge {
  readonly heldOut: TokenizedExample | undefined
}

/** Inputs of a round's judges. */
export interface Judging {
  readonly evaluator: UpdateEvaluator
  readonly weights: HeldWeights
  readonly margin: number
  readonly clipNormOf: (module: string) => number
  readonly attack: PoisonAttack
}

/**
 * Applies rule 2's held-out check by every member, and the quorum: returns the updates with enough endorsements. Honest
 * members endorse their own update and those that raise the loss on their text by at most the margin. Poisoners endorse
 * everything, or only each other's updates if they collude.
 *
 * @param sent updates of all members, poisoners first; undefined if a member sent no sound update
 */
export async function endorsedByQuorum(
  sent: readonly (StackMember | undefined)[],
  judges: readonly Judge[],
  judging: Judging
): Promise<StackMember[]> {
  const harms = await Promise.all(judges.map((judge) => harmsOf(sent, judge, judging)))
  const isPoisoner = (index: number) => judges[index]!.heldOut === undefined
  return sent.flatMap((member, author) => {
    if (member === undefined) return []
    const endorsements = judges.filter((_, judge) => {
      if (judge === author) return true
      if (isPoisoner(judge)) return judging.attack !== 'colluding' || isPoisoner(author)
      return harms[judge]![author]! <= judging.margin
    })
    return endorsements.length >= quorumSize(judges.length) ? [member] : []
  })
}

async function harmsOf(
  sent: readonly (StackMember | undefined)[],
  { heldOut }: Judge,
  { evaluator, weights, clipNormOf }: Judging
): Promise<number[]> {
  if (heldOut === undefined) return []
  const lossWith = (update?: LoraAdapter) =>
    evaluator.loss({
      ...{ weights, ids: heldOut.ids, scored: heldOut.weights, update },
      check: () => undefined
    })
  const before = await lossWith()
  const harms: number[] = []
  for (const member of sent)
    harms.push(
      member === undefined ? Number.NaN : (await lossWith(clipAdapter(member.adapter, clipNormOf))) - before
    )
  return harms
}
