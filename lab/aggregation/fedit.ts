import { AdapterError } from '../../src/adapter/pair/adapter-error.ts'
import type { AggregationRule } from './aggregation-rule.ts'
import { averageFactors, pairsByModule } from './average-factors.ts'
import { adapterBytes } from './bytes.ts'
import { makeAggregate } from './make-aggregate.ts'
import { goOn } from './starts.ts'

/**
 * FedIT (Zhang et al., 2023, arXiv 2305.05644): A and B are averaged separately over all members, which must have the
 * same rank. Members continue from the average.
 */
export const fedit: AggregationRule = {
  name: 'fedit',
  trains: ['A', 'B'],
  aggregate(members, options) {
    const pairs = [...pairsByModule(members, options)].map(([module, parts]) => {
      const ranks = [...new Set(parts.map(({ pair }) => pair.rank))]
      if (ranks.length > 1) {
        throw new AdapterError(
          `${module} has ranks ${ranks.join(', ')}, but fedit requires equal ranks: use zero-pad or flora`
        )
      }
      return averageFactors(parts)
    })
    return makeAggregate({ pairs })
  },
  start: goOn,
  bytesDown: ({ adapter }) => adapterBytes(adapter)
}
