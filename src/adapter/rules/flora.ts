import { stackAdapters } from '../stack.ts'
import type { AggregationRule } from './aggregation-rule.ts'

/** FLoRA (Wang et al., NeurIPS 2024, arXiv 2409.05976): stacking, free of cross terms, for any mix of ranks. */
export const flora: AggregationRule = { name: 'flora', aggregate: stackAdapters }
