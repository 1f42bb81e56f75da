import { add, cast, type GraphNode, gatherRows, matMul, multiply, recomputed } from '../../graph/index.ts'
import type { ModelNodes } from './model-nodes.ts'

/**
 * y = x Wᵀ + bias + scale · B A (x ∘ dropout), with the terms that the module has.
 *
 * @param x [rows, inFeatures]
 * @returns [rows, outFeatures]
 */
export function linear(model: ModelNodes, x: GraphNode, module: string, bias: boolean): GraphNode {
  const weight = `${module}.weight`
  const plain = model.product?.(x, weight) ?? matMul(x, model.parameter(weight), { transposeB: true })
  const y = bias ? add(plain, model.parameter(`${module}.bias`)) : plain
  const lora = model.lora.get(module)
  if (!lora) return y
  const seen = lora.dropout ? multiply(x, lora.dropout) : x
  const low = matMul(seen, lora.A, { transposeB: true })
  return add(y, matMul(low, lora.B, { transposeB: true, alpha: lora.scale }))
}

/** Rows of an embedding table in float32. */
export function embed(model: ModelNodes, table: string, ids: GraphNode): GraphNode {
  return cast(gatherRows(model.parameter(table), ids), 'float32')
}

/** One layer of the decoder, whose intermediate values are kept for the backward pass or recomputed there. */
export function layer(
  model: ModelNodes,
  name: string,
  x: GraphNode,
  build: (x: GraphNode) => GraphNode
): GraphNode {
  return model.recompute ? recomputed(x, model.recompute(name), build) : build(x)
}
