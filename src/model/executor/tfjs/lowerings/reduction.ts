import { listAttribute } from '../../../graph/index.ts'
import type { Lowering } from './lowering.ts'

export const reductionLowerings: Readonly<Record<string, Lowering>> = {
  ReduceSum: (tf, node, [x]) => tf.sum(x!, [...listAttribute(node, 'axes')], true),
  ReduceMean: (tf, node, [x]) => tf.mean(x!, [...listAttribute(node, 'axes')], true)
}
