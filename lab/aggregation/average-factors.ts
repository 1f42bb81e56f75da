import { AdapterError } from '../../src/adapter/pair/adapter-error.ts'
import { checkAdapter } from '../../src/adapter/pair/check-adapter.ts'
import type { LoraPair } from '../../src/adapter/pair/lora-adapter.ts'
import { loraScale } from '../../src/adapter/pair/lora-scale.ts'
import { type StackMember, sortedByAuthor } from '../../src/adapter/stack/stack.ts'
import { memberCounts, shares } from '../../src/adapter/stack/weights.ts'
import { compareStrings } from '../../src/formats/compare-strings.ts'
import type { AggregationOptions } from './aggregation-rule.ts'

/** A member's pair for one module, and its weights. */
export interface SharedPair {
  readonly pair: LoraPair
  /** p_k of the whole cut. */
  readonly share: number
  /** p_k among the members that have this module. */
  readonly shareOfModule: number
  /** s_k. */
  readonly scale: number
}

/**
 * The pairs of a cut by module, in order of modules and then of authors.
 *
 * @throws {AdapterError} for an empty cut, a repeated author, an invalid count, or shapes that differ between members
 */
export function pairsByModule(
  members: readonly StackMember[],
  options: AggregationOptions = {}
): Map<string, SharedPair[]> {
  const sorted = sortedByAuthor(members)
  const counts = memberCounts(sorted, options.weights)
  const whole = shares(counts)
  const entries = sorted.flatMap(({ adapter }, k) =>
    checkAdapter(adapter).pairs.map((pair) => ({ pair, count: counts[k]!, share: whole[k]! }))
  )
  const modules = [...new Set(entries.map(({ pair }) => pair.module))].sort(compareStrings)
  return new Map(
    modules.map((module) => {
      const present = entries.filter(({ pair }) => pair.module === module)
      const { inFeatures, outFeatures } = present[0]!.pair
      if (present.some(({ pair }) => pair.inFeatures !== inFeatures || pair.outFeatures !== outFeatures))
        throw new AdapterError(`${module} has different shapes in different adapters`)
      const among = shares(present.map(({ count }) => count))
      return [
        module,
        present.map(({ pair, share }, i) => ({
          pair,
          share,
          shareOfModule: among[i]!,
          scale: loraScale(pair, options.rsLora)
        }))
      ]
    })
  )
}

/**
 * The average of factors, each padded with zeros to the largest rank: A = Σ p_k A_k over the members that have the
 * module, B = Σ p_k s_k B_k over the whole cut, so that the only member with a module gets no more than its weight in
 * the cut. Summed in float64 in the order of the authors and rounded once. B·A contains the cross terms B_j A_k that
 * FLoRA avoids.
 */
export function averageFactors(parts: readonly SharedPair[]): LoraPair {
  const { module, inFeatures, outFeatures } = parts[0]!.pair
  const rank = parts.reduce((largest, { pair }) => Math.max(largest, pair.rank), 0)
  const A = new Float64Array(rank * inFeatures)
  const B = new Float64Array(outFeatures * rank)
  for (const { pair, share, shareOfModule, scale } of parts) {
    for (let i = 0; i < pair.A.length; i++) A[i] = A[i]! + shareOfModule * pair.A[i]!
    addScaled(B, rank, pair, share * scale)
  }
  return {
    module,
    rank,
    alpha: rank,
    inFeatures,
    outFeatures,
    A: Float32Array.from(A),
    B: Float32Array.from(B)
  }
}

/** B += factor · B_k, whose columns come first among the `rank` columns of B. */
export function addScaled(B: Float64Array, rank: number, pair: LoraPair, factor: number): void {
  for (let i = 0; i < pair.outFeatures; i++) {
    for (let k = 0; k < pair.rank; k++) {
      const at = i * rank + k
      B[at] = B[at]! + factor * pair.B[i * pair.rank + k]!
    }
  }
}
