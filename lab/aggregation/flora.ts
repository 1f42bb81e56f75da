import { stackAdapters } from '../../src/adapter/stack/stack.ts'
import type { AggregationRule } from './aggregation-rule.ts'
import { adapterBytes } from './bytes.ts'
import { mergeAll } from './starts.ts'

/**
 * FLoRA (Wang et al., NeurIPS 2024, arXiv 2409.05976): stacking, free of cross terms, for any mix of ranks. The stack
 * is merged into the base, and members start afresh.
 */
export const flora: AggregationRule = {
  name: 'flora',
  trains: ['A', 'B'],
  aggregate: (members, options) => ({ ...stackAdapters(members, options), residual: new Map() }),
  start: mergeAll,
  bytesDown: ({ adapter }) => adapterBytes(adapter)
}
