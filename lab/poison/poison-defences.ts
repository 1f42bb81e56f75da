import {
  type Clip,
  type LoraPair,
  medianNorm,
  type StackMember,
  updateNorm
} from '../../src/adapter/index.ts'
import { NORM_FACTOR } from '../../src/node/consortium/create-charter.ts'
import { boundsByMedians, NORM_CUTS } from '../../src/node/driver/norm-bounds.ts'
import { pairFault } from '../../src/node/workers/builder/validate-shards.ts'

/** What the others do: nothing, one defence alone, or all that a new charter has. */
export const POISON_DEFENCES = ['default', 'none', 'norm-bound', 'factor-bound', 'clip'] as const
export type PoisonDefence = (typeof POISON_DEFENCES)[number]

/** A defence over the rounds of one run. */
export interface Defending {
  readonly clip: Clip
  /** Largest norm that is endorsed now. */
  boundOf(module: string): number
  /** The members whose update is endorsed. */
  endorsed(members: readonly StackMember[]): StackMember[]
  /** Takes the cut of a round that was not void. */
  sealed(cut: readonly StackMember[]): void
}

/**
 * `norm-bound`: ten medians of the cut before, and nothing else; `factor-bound`: that, and rule 2's bound on factors;
 * `clip`: the stack clips, and everything is endorsed; `default`: rule 2 as it is, and the stack clips.
 *
 * @param absolute bound where there is no cut before: the charter's
 */
export function startDefence(defence: PoisonDefence, absolute: number): Defending {
  const cuts: Record<string, number>[] = []
  const isBounded = defence !== 'none' && defence !== 'clip'
  const remembered = defence === 'default' ? NORM_CUTS : 1
  const boundOf = (module: string): number => {
    if (!isBounded) return Number.POSITIVE_INFINITY
    const { byModule } = boundsByMedians({ factor: NORM_FACTOR, absolute }, cuts.slice(0, remembered))
    return byModule[module] ?? absolute
  }
  const isSound = (pair: LoraPair): boolean => {
    if (!isBounded) return true
    const bound = boundOf(pair.module)
    return defence === 'norm-bound' ? updateNorm(pair) <= bound : pairFault(pair, bound) === undefined
  }
  return {
    clip: defence === 'default' || defence === 'clip' ? 'median' : 'none',
    boundOf,
    endorsed: (members) => members.filter(({ adapter }) => adapter.pairs.every(isSound)),
    sealed(cut) {
      const norms = new Map<string, number[]>()
      for (const pair of cut.flatMap(({ adapter }) => adapter.pairs))
        norms.set(pair.module, [...(norms.get(pair.module) ?? []), updateNorm(pair)])
      cuts.unshift(Object.fromEntries([...norms].map(([module, values]) => [module, medianNorm(values)])))
    }
  }
}
