import {
  add,
  divide,
  type GraphNode,
  multiply,
  reduceMean,
  squareRoot,
  subtract,
  sumTo,
  withGradient
} from '../../graph/index.ts'

/**
 * LayerNorm: y = w ∘ (x − mean(x)) / √(var(x) + ε) + b, over the last axis.
 *
 * @param x [rows, width]
 * @param weight [width], as is `bias`
 */
export function layerNorm(x: GraphNode, weight: GraphNode, bias: GraphNode, epsilon: number): GraphNode {
  const { builder } = x
  const centred = subtract(x, reduceMean(x, [-1]))
  const variance = reduceMean(multiply(centred, centred), [-1])
  const inverse = divide(builder.scalar(1), squareRoot(add(variance, builder.scalar(epsilon))))
  const normal = multiply(centred, inverse)
  const y = add(multiply(normal, weight), bias)
  // With n = (x − mean) / σ and g = w ∘ dy: dx = (g − mean(g) − n · mean(g ∘ n)) / σ.
  return withGradient(y, [x, weight, bias], (dy, wanted) => {
    const g = multiply(dy, weight)
    const along = multiply(normal, reduceMean(multiply(g, normal), [-1]))
    return [
      wanted[0] ? multiply(subtract(subtract(g, reduceMean(g, [-1])), along), inverse) : undefined,
      wanted[1] ? sumTo(multiply(dy, normal), weight.shape) : undefined,
      wanted[2] ? sumTo(dy, bias.shape) : undefined
    ]
  })
}
