import type { GraphNode } from './graph.ts'
import { add } from './operators/elementwise.ts'

/**
 * Reverse-mode differentiation on the graph itself: the nodes that compute d loss / d target for every target, appended
 * to the builder of `loss`. No nodes are built for values that do not depend on a target.
 *
 * @param loss a float32 scalar (shape [])
 * @throws {Error} when a target does not influence the loss, or an operator between them has no gradient
 */
export function gradients(loss: GraphNode, targets: readonly GraphNode[]): GraphNode[] {
  if (loss.shape.length > 0) throw new Error(`only a scalar can be differentiated, got shape [${loss.shape}]`)
  return gradientsFrom(loss, loss.builder.scalar(1), targets).map((gradient, index) => {
    const target = targets[index]!
    if (!gradient) throw new Error(`the loss does not depend on node ${target.id} (${target.operator.name})`)
    return gradient
  })
}

/**
 * Gradients of the loss by `targets`, given its gradient by `value`, through which alone they influence the loss;
 * undefined if they do not.
 *
 * @throws {Error} when an operator between them has no gradient
 */
export function gradientsFrom(
  value: GraphNode,
  valueGradient: GraphNode,
  targets: readonly GraphNode[]
): (GraphNode | undefined)[] {
  const ancestors = orderedAncestors(value)
  const reached = new Set<GraphNode>(targets)
  for (const node of ancestors) if (node.inputs.some((input) => reached.has(input))) reached.add(node)

  const gradientOf = new Map<GraphNode, GraphNode>([[value, valueGradient]])
  for (const node of ancestors.toReversed()) {
    const outputGradient = gradientOf.get(node)
    if (!outputGradient || !reached.has(node) || node.inputs.length === 0) continue
    const wanted = node.inputs.map((input) => reached.has(input))
    if (!wanted.some(Boolean)) continue
    if (!node.operator.gradient) throw new Error(`no gradient passes through ${node.operator.name}`)
    node.operator.gradient(node, outputGradient, wanted).forEach((gradient, index) => {
      if (!gradient || !wanted[index]) return
      const input = node.inputs[index]!
      const sum = gradientOf.get(input)
      gradientOf.set(input, sum ? add(sum, gradient) : gradient)
    })
  }
  return targets.map((target) => gradientOf.get(target))
}

function orderedAncestors(node: GraphNode): GraphNode[] {
  const seen = new Set<GraphNode>([node])
  const waiting = [node]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    for (const input of next.inputs) {
      if (seen.has(input)) continue
      seen.add(input)
      waiting.push(input)
    }
  }
  return [...seen].sort((a, b) => a.id - b.id)
}
