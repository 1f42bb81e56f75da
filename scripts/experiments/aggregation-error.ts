import {
  coefficients,
  compareStrings,
  type LoraAdapter,
  loraScale,
  type StackMember,
  updateNorm
} from '../../src/adapter/index.ts'
import { joinPairs, type WeightedPair } from '../../src/adapter/join-pairs.ts'

/**
 * ‖ΔW − Σ p_k ΔW_k‖ / ‖Σ p_k ΔW_k‖ over all modules (Frobenius norms): how far a rule's result lies from the exact
 * average of its members' updates. Below about 1e-7 it is the rounding of float32.
 *
 * @param aggregate of scale 1
 */
export function aggregationError(aggregate: LoraAdapter, members: readonly StackMember[]): number {
  const shares = coefficients(members.map(({ samples }) => samples))
  const exact = new Map<string, WeightedPair[]>()
  for (const [index, { adapter }] of members.entries()) {
    for (const pair of adapter.pairs) {
      const part = { pair, coefficient: shares[index]! * loraScale(pair) }
      exact.set(pair.module, [...(exact.get(pair.module) ?? []), part])
    }
  }
  let missed = 0
  let whole = 0
  for (const module of [...exact.keys()].sort(compareStrings)) {
    const parts = exact.get(module)!
    const negated = parts.map(({ pair, coefficient }) => ({ pair, coefficient: -coefficient }))
    const found = aggregate.pairs.filter((pair) => pair.module === module)
    const difference = joinPairs([...found.map((pair) => ({ pair, coefficient: 1 })), ...negated])
    missed += updateNorm(difference) ** 2
    whole += updateNorm(joinPairs(parts)) ** 2
  }
  return Math.sqrt(missed / whole)
}
