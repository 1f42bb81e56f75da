import { add, type GraphNode, matMul, multiply } from '../graph/index.ts'
import type { ModelNodes } from './model-nodes.ts'

/**
 * y = x Wᵀ + bias + scale · B A (x ∘ dropout), with whatever of these the module has.
 *
 * @param x [rows, inFeatures]
 * @returns [rows, outFeatures]
 */
export function linear(model: ModelNodes, x: GraphNode, module: string, bias: boolean): GraphNode {
  const plain = matMul(x, model.parameter(`${module}.weight`), { transposeB: true })
  const y = bias ? add(plain, model.parameter(`${module}.bias`)) : plain
  const lora = model.lora.get(module)
  if (!lora) return y
  const seen = lora.dropout ? multiply(x, lora.dropout) : x
  const low = matMul(seen, lora.A, { transposeB: true })
  return add(y, matMul(low, lora.B, { transposeB: true, alpha: lora.scale }))
}
