import type { StackMember } from '../../src/adapter/stack/stack.ts'
import type { Aggregate, AggregationOptions } from './aggregation-rule.ts'
import { pairsByModule } from './average-factors.ts'

/**
 * ‖ΔW − Σ p_k s_k B_k A_k‖ / ‖Σ p_k s_k B_k A_k‖ over all modules, in the Frobenius norm: the distance of a rule's
 * update from the weighted mean of the members' updates. Computed in float64, row by row: memory is one row per module,
 * time in · out · Σ rank. 0 if both are zero.
 */
export function aggregationError(
  aggregate: Aggregate,
  members: readonly StackMember[],
  options: AggregationOptions = {}
): number {
  const globals = new Map(aggregate.adapter.pairs.map((pair) => [pair.module, pair]))
  let difference = 0
  let whole = 0
  for (const [module, parts] of pairsByModule(members, options)) {
    const { inFeatures, outFeatures } = parts[0]!.pair
    const update = globals.get(module)
    const residual = aggregate.residual.get(module)?.data
    for (let i = 0; i < outFeatures; i++) {
      const mean = new Float64Array(inFeatures)
      for (const { pair, share, scale } of parts) addRow(mean, pair, i, share * scale)
      const row = Float64Array.from(mean, (value) => -value)
      if (update !== undefined) addRow(row, update, i, 1)
      for (let j = 0; j < inFeatures; j++) {
        const apart = row[j]! + (residual?.[i * inFeatures + j] ?? 0)
        difference += apart * apart
        whole += mean[j]! * mean[j]!
      }
    }
  }
  if (difference === 0) return 0
  return Math.sqrt(difference) / Math.sqrt(whole)
}

/** row += factor · (B·A)[i]. */
function addRow(
  row: Float64Array,
  { A, B, rank }: { readonly A: Float32Array; readonly B: Float32Array; readonly rank: number },
  i: number,
  factor: number
): void {
  for (let k = 0; k < rank; k++) {
    const b = factor * B[i * rank + k]!
    const begin = k * row.length
    for (let j = 0; j < row.length; j++) row[j] = row[j]! + b * A[begin + j]!
  }
}
