import type { Aggregate, AggregationOptions } from '../../../../lab/aggregation/index.ts'
import { aggregationError, flora } from '../../../../lab/aggregation/index.ts'
import type { LoraAdapter } from '../../../../src/adapter/pair/lora-adapter.ts'
import type { StackMember } from '../../../../src/adapter/stack/stack.ts'

/**
 * ‖ΔW − Σ p_k ΔW_k‖ as a part of Σ ‖b‖·‖a‖ over all columns b and rows a of the stack's B and A, and of the aggregate's
 * own: what float32 can be held to, as the terms of ΔW may cancel.
 */
export function errorPerTerm(
  aggregate: Aggregate,
  members: readonly StackMember[],
  options?: AggregationOptions
): number {
  const { adapter } = flora.aggregate(members, options)
  let whole = 0
  for (const { A, B, rank, inFeatures, outFeatures } of adapter.pairs) {
    for (let i = 0; i < outFeatures; i++) {
      for (let j = 0; j < inFeatures; j++) {
        let sum = 0
        for (let k = 0; k < rank; k++) sum += B[i * rank + k]! * A[k * inFeatures + j]!
        whole += sum * sum
      }
    }
  }
  const terms = termsOf(adapter) + termsOf(aggregate.adapter)
  // Below this, elements are subnormal and have no relative precision to be held to.
  if (terms < 1e-20) return 0
  const error = aggregationError(aggregate, members, options)
  return Number.isFinite(error) ? (error * Math.sqrt(whole)) / terms : error
}

function termsOf({ pairs }: LoraAdapter): number {
  let terms = 0
  for (const { A, B, rank, inFeatures, outFeatures } of pairs) {
    for (let k = 0; k < rank; k++) {
      const a = Math.hypot(...A.subarray(k * inFeatures, (k + 1) * inFeatures))
      terms += a * Math.hypot(...Array.from({ length: outFeatures }, (_, i) => B[i * rank + k]!))
    }
  }
  return terms
}
