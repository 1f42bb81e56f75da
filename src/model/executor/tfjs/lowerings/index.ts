/**
 * The operators on TensorFlow.js, a file a family as in the graph's own folder.
 *
 * @example
 * ```ts
 * const y = tf.tidy(() => lowerings.Add!(tf, node, [a, b]))
 * ```
 */
import { compositeLowerings } from './composite.ts'
import { elementwiseLowerings } from './elementwise.ts'
import { gatherLowerings } from './gather.ts'
import { layoutLowerings } from './layout.ts'
import type { Lowering } from './lowering.ts'
import { matrixProductLowerings } from './matrix-product.ts'
import { reductionLowerings } from './reduction.ts'

export type { Lowering } from './lowering.ts'

/** The operators that TensorFlow.js computes itself, by name; the others are taken apart by their `decompose`. */
export const lowerings: Readonly<Record<string, Lowering>> = {
  ...elementwiseLowerings,
  ...reductionLowerings,
  ...layoutLowerings,
  ...matrixProductLowerings,
  ...gatherLowerings,
  ...compositeLowerings
}
