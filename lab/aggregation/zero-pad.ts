import type { LoraAdapter } from '../../src/adapter/pair/lora-adapter.ts'
import type { Aggregate, AggregationRule } from './aggregation-rule.ts'
import { averageFactors, pairsByModule } from './average-factors.ts'
import { adapterBytes } from './bytes.ts'
import { makeAggregate } from './make-aggregate.ts'
import { goOn } from './starts.ts'

/**
 * Zero-padding (the baseline for mixed ranks in FLoRA, section 4; Cho et al., 2024, arXiv 2401.06432): factors are
 * padded with zeros to the largest rank and averaged separately. A member continues from as many of the average's first
 * rows as its rank, and receives no more.
 */
export const zeroPad: AggregationRule = {
  name: 'zero-pad',
  trains: ['A', 'B'],
  aggregate: (members, options) =>
    makeAggregate({ pairs: [...pairsByModule(members, options).values()].map(averageFactors) }),
  start: goOn,
  bytesDown: bytesOfOwnRank
}

/** Bytes of a start cut to the member's own ranks. */
export function bytesOfOwnRank(aggregate: Aggregate, own: LoraAdapter): number {
  const ranks = aggregate.ranks
  const pairs = own.pairs.flatMap((pair) => {
    const rank = Math.min(pair.rank, ranks.get(pair.module) ?? 0)
    if (rank === 0) return []
    const A = pair.A.subarray(0, rank * pair.inFeatures)
    return [{ ...pair, rank, A, B: pair.B.subarray(0, rank * pair.outFeatures) }]
  })
  return adapterBytes({ pairs })
}
