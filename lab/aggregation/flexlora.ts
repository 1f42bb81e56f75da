import { pairFromSvd, productSvd } from '../../src/adapter/low-rank/product-svd.ts'
import { stackAdapters } from '../../src/adapter/stack/stack.ts'
import type { AggregationRule } from './aggregation-rule.ts'
import { makeAggregate } from './make-aggregate.ts'
import { goOn } from './starts.ts'
import { bytesOfOwnRank } from './zero-pad.ts'

/**
 * FlexLoRA (Bai et al., NeurIPS 2024, arXiv 2402.11505): ΔW = Σ p_k s_k B_k A_k, its SVD truncated for every member to
 * its own rank. The global update here is the truncation to the largest rank of any member; each member continues from
 * its leading singular vectors, and the base does not change.
 */
export const flexlora: AggregationRule = {
  name: 'flexlora',
  trains: ['A', 'B'],
  aggregate(members, options) {
    const stack = stackAdapters(members, options)
    if (!stack.finite) return { ...stack, residual: new Map() }
    const pairs = stack.adapter.pairs.map((pair) => {
      const own = members.flatMap(({ adapter }) =>
        adapter.pairs.filter(({ module }) => module === pair.module)
      )
      const rank = own.reduce((largest, each) => Math.max(largest, each.rank), 1)
      return pairFromSvd(pair.module, productSvd(pair), rank)
    })
    return makeAggregate({ pairs })
  },
  start: goOn,
  bytesDown: bytesOfOwnRank
}
