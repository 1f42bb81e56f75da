/**
 * The operators, a file a family; each has its shape rule, its gradient rule and its ONNX form.
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

/** Every operator by name: what an executor has to know. */
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
