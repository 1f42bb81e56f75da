import type { Aggregate, AggregationOptions } from '../../../../src/adapter/rules/index.ts'
import { aggregationError, flora } from '../../../../src/adapter/rules/index.ts'
import type { StackMember } from '../../../../src/adapter/stack.ts'

/**
 * ‖ΔW − Σ p_k ΔW_k‖ as a part of Σ ‖b‖·‖a‖ over all columns b of the stack's B and rows a of its A: what float32 can
 * be held to, as the terms of ΔW may cancel.
 */
export function errorPerTerm(
  aggregate: Aggregate,
  members: readonly StackMember[],
  options?: AggregationOptions
): number {
  const { adapter } = flora.aggregate(members, options)
  let terms = 0
  let whole = 0
  for (const { A, B, rank, inFeatures, outFeatures } of adapter.pairs) {
    for (let k = 0; k < rank; k++) {
      const a = Math.hypot(...A.subarray(k * inFeatures, (k + 1) * inFeatures))
      terms += a * Math.hypot(...Array.from({ length: outFeatures }, (_, i) => B[i * rank + k]!))
    }
    for (let i = 0; i < outFeatures; i++) {
      for (let j = 0; j < inFeatures; j++) {
        let sum = 0
        for (let k = 0; k < rank; k++) sum += B[i * rank + k]! * A[k * inFeatures + j]!
        whole += sum * sum
      }
    }
  }
  if (terms === 0) return 0
  const error = aggregationError(aggregate, members, options)
  return Number.isFinite(error) ? (error * Math.sqrt(whole)) / terms : error
}
