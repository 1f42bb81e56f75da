import type { LoraAdapter, LoraPair } from '../pair/lora-adapter.ts'
import type { StackMember } from '../stack/stack.ts'
import { updateNorm } from './norm.ts'

/**
 * An adapter with every module's ‖ΔW‖ held to a bound: B is scaled down where it is above, by one float32 factor. A
 * bound of infinity leaves a module as it is.
 *
 * @param boundOf largest Frobenius norm of a module's ΔW
 */
export function clipAdapter(
  adapter: LoraAdapter,
  boundOf: (module: string) => number,
  rsLora = false
): LoraAdapter {
  return { pairs: adapter.pairs.map((pair) => clipPair(pair, boundOf(pair.module), rsLora)) }
}

/**
 * A cut with every member's update clipped, module by module, to `factor` times the lower median of the cut's norms: a
 * minority cannot move the bound beyond what some honest member has. A pure function of the cut.
 */
export function clipToMedian(members: readonly StackMember[], factor: number, rsLora = false): StackMember[] {
  const norms = new Map<string, number[]>()
  for (const pair of members.flatMap(({ adapter }) => adapter.pairs))
    norms.set(pair.module, [...(norms.get(pair.module) ?? []), updateNorm(pair, rsLora)])
  const bounds = new Map(
    [...norms].map(([module, values]) => {
      const sorted = values.sort((a, b) => a - b)
      return [module, factor * sorted[Math.floor((sorted.length - 1) / 2)]!]
    })
  )
  return members.map((member) => ({
    ...member,
    adapter: clipAdapter(member.adapter, (module) => bounds.get(module)!, rsLora)
  }))
}

function clipPair(pair: LoraPair, bound: number, rsLora: boolean): LoraPair {
  const norm = updateNorm(pair, rsLora)
  if (!(norm > bound)) return pair
  const factor = Math.fround(bound / norm)
  return { ...pair, B: pair.B.map((value) => value * factor) }
}
