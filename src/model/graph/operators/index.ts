/**
 * The operators, one file per family; each has a shape rule, a gradient rule and an ONNX form.
 *
 * @example
 * ```ts
 * const unknown = graph.nodes.filter((node) => !(node.operator.name in operators))
 * ```
 */
import type { Operator } from '../operator.ts'
import { compositeOperators } from './composite.ts'
import { dequantiseOperators } from './dequantise.ts'
import { elementwiseOperators } from './elementwise.ts'
import { gatherOperators } from './gather.ts'
import { layoutOperators } from './layout.ts'
import { matrixProductOperators } from './matrix-product.ts'
import { normalisationOperators } from './normalisation.ts'
import { orderingOperators } from './ordering.ts'
import { reductionOperators } from './reduction.ts'

/** Every operator by name, which an executor must support. */
export const operators: Readonly<Record<string, Operator>> = {
  ...elementwiseOperators,
  ...reductionOperators,
  ...layoutOperators,
  ...matrixProductOperators,
  ...gatherOperators,
  ...compositeOperators,
  ...normalisationOperators,
  ...dequantiseOperators,
  ...orderingOperators
}
