import { medianNorm, type StackMember, updateNorm } from '../../src/adapter/index.ts'

/**
 * How the others defend against a poisoned update: not at all, by clipping its norm, or by not endorsing it. In the
 * first round `refuse` has a bound that excludes nothing (1,000), `refuse-base` that of `loam consortium create`: the
 * median base weight's norm.
 */
export type Defence = 'none' | 'clip' | 'refuse' | 'refuse-base'

/** Every defence, in the order of the report. */
export const DEFENCES: readonly Defence[] = ['none', 'clip', 'refuse', 'refuse-base']

/** A charter's bound (rule 2): ten medians of the previous cut. */
const REFUSE_FACTOR = 10
/** The bound before the first cut, unless the charter sets another. */
export const REFUSE_ABSOLUTE = 1_000

/** Median norm of ΔW by module over a cut: the yardstick for the next round's updates. */
export type MedianNorms = ReadonlyMap<string, number>

/** Lower medians of the members' norms, by module. */
export function medianNorms(members: readonly StackMember[]): MedianNorms {
  const norms = new Map<string, number[]>()
  for (const { adapter } of members)
    for (const pair of adapter.pairs)
      norms.set(pair.module, [...(norms.get(pair.module) ?? []), updateNorm(pair)])
  return new Map([...norms].map(([module, values]) => [module, medianNorm(values)]))
}

/** Leaves out the members whose updates a quorum of honest members would not endorse. */
export function refuseBeyond(
  members: readonly StackMember[],
  before: MedianNorms | undefined,
  absolute = REFUSE_ABSOLUTE
): StackMember[] {
  const boundOf = (module: string): number => {
    const median = before?.get(module) ?? 0
    return median > 0 ? REFUSE_FACTOR * median : absolute
  }
  return members.filter(({ adapter }) =>
    adapter.pairs.every((pair) => updateNorm(pair) <= boundOf(pair.module))
  )
}
