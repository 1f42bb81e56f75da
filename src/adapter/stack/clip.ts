import { updateNorm } from '../norm/norm.ts'
import type { LoraAdapter, LoraPair } from '../pair/lora-adapter.ts'
import type { StackMember } from './stack.ts'

/**
 * An adapter with every module's ‖ΔW‖ limited to a bound: where it is above, B is scaled down by one float32 factor.
 * With an infinite bound a module is unchanged.
 *
 * @param boundOf largest Frobenius norm of a module's ΔW
 */
export function clipAdapter(
  adapter: LoraAdapter,
  boundOf: (module: string) => number,
  rsLora = false
): LoraAdapter {
  return {
    pairs: adapter.pairs.map((pair) => {
      const norm = updateNorm(pair, rsLora)
      const bound = boundOf(pair.module)
      return norm > bound ? scaleB(pair, bound / norm) : pair
    })
  }
}

/**
 * The lower median of the norms above 0, or 0 if there are none. An update of zero is no more informative than a member
 * without the module, so zeros do not lower it.
 */
export function medianNorm(norms: readonly number[]): number {
  const sorted = norms.filter((norm) => norm > 0).sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
}

/**
 * min(1, bound / ‖ΔW‖) for every pair of a cut, in float64, where the bound is the module's {@link medianNorm}: a
 * minority cannot move it beyond what some honest member has. Depends on the cut alone.
 *
 * @param normOf Frobenius norm of a pair's ΔW
 * @param factor the bound as a multiple of the median
 */
export function clipFactors(
  members: readonly { readonly adapter: LoraAdapter }[],
  normOf: (pair: LoraPair) => number,
  factor = 1
): Map<LoraPair, number> {
  const norms = new Map<string, Map<LoraPair, number>>()
  for (const pair of members.flatMap(({ adapter }) => adapter.pairs)) {
    const ofModule = norms.get(pair.module) ?? new Map<LoraPair, number>()
    norms.set(pair.module, ofModule.set(pair, normOf(pair)))
  }
  return new Map(
    [...norms.values()].flatMap((ofModule) => {
      const bound = factor * medianNorm([...ofModule.values()])
      return [...ofModule].map(([pair, norm]) => [pair, norm > bound ? bound / norm : 1] as const)
    })
  )
}

/** A cut with every member's update clipped by {@link clipFactors}: B is scaled, by one float32 factor. */
export function clipToMedian(members: readonly StackMember[], factor: number, rsLora = false): StackMember[] {
  const factors = clipFactors(members, (pair) => updateNorm(pair, rsLora), factor)
  return members.map((member) => ({
    ...member,
    adapter: { pairs: member.adapter.pairs.map((pair) => scaleB(pair, factors.get(pair)!)) }
  }))
}

function scaleB(pair: LoraPair, factor: number): LoraPair {
  if (factor === 1) return pair
  const rounded = Math.fround(factor)
  return { ...pair, B: pair.B.map((value) => value * rounded) }
}
