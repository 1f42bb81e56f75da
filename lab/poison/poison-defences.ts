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

/** Defences of the other members: none, a single one, all that need no text, all of a new charter, or an experimental one. */
export const POISON_DEFENCES = [
  'default',
  'none',
  'norm-bound',
  'factor-bound',
  'clip',
  'no-check',
  'reputation'
] as const
export type PoisonDefence = (typeof POISON_DEFENCES)[number]

/** A defence over the rounds of one run. */
export interface Defending {
  readonly clip: Clip
  /** Whether members check updates on their held-out text. */
  readonly isChecked: boolean
  /** Whether authors are left out for the harm that their earlier updates did. */
  readonly isReputed: boolean
  /** Largest norm that is currently endorsed. */
  boundOf(module: string): number
  /** The members whose update is within the bounds. */
  sound(members: readonly StackMember[]): StackMember[]
  /** Norms to which an update is clipped before it is measured; infinite before the first cut. */
  clipNormOf(module: string): number
  /** Records the cut of a round that was not void. */
  sealed(cut: readonly StackMember[]): void
}

/**
 * `norm-bound`: only a bound of ten medians of the previous cut; `factor-bound`: that and rule 2's bound on factors;
 * `clip`: the stack clips, and everything is endorsed; `no-check`: both bounds as in rule 2, and the stack clips;
 * `default`: that and the held-out check; `reputation`: that and the experiment in `reputation.ts`.
 *
 * @param absolute the charter's bound for use before the first cut
 */
export function startDefence(defence: PoisonDefence, absolute: number): Defending {
  const cuts: Record<string, number>[] = []
  const isBounded = defence !== 'none' && defence !== 'clip'
  const isChecked = defence === 'default' || defence === 'reputation'
  const isWhole = isChecked || defence === 'no-check'
  const remembered = isWhole ? NORM_CUTS : 1
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
    clip: isWhole || defence === 'clip' ? 'median' : 'none',
    isChecked,
    isReputed: defence === 'reputation',
    boundOf,
    sound: (members) => members.filter(({ adapter }) => adapter.pairs.every(isSound)),
    clipNormOf: (module) => cuts[0]?.[module] || Number.POSITIVE_INFINITY,
    sealed(cut) {
      const norms = new Map<string, number[]>()
      for (const pair of cut.flatMap(({ adapter }) => adapter.pairs))
        norms.set(pair.module, [...(norms.get(pair.module) ?? []), updateNorm(pair)])
      cuts.unshift(Object.fromEntries([...norms].map(([module, values]) => [module, medianNorm(values)])))
    }
  }
}
