import {
  add,
  divide,
  type GraphNode,
  multiply,
  reduceMean,
  sigmoid,
  squareRoot,
  subtract,
  sumTo,
  withGradient
} from '../graph/index.ts'

/**
 * RMSNorm: y = w ∘ x / √(mean(x²) + ε), over the last axis.
 *
 * @param x [rows, width]
 * @param weight [width]
 */
export function rmsNorm(x: GraphNode, weight: GraphNode, epsilon: number): GraphNode {
  const { builder } = x
  const meanSquare = reduceMean(multiply(x, x), [-1])
  const inverse = divide(builder.scalar(1), squareRoot(add(meanSquare, builder.scalar(epsilon))))
  const normal = multiply(x, inverse)
  const y = multiply(normal, weight)
  // With n = x / rms: dx = (w ∘ dy − n · mean(dy ∘ y)) / rms.
  return withGradient(y, [x, weight], (dy, wanted) => {
    const along = reduceMean(multiply(dy, y), [-1])
    return [
      wanted[0] ? multiply(subtract(multiply(dy, weight), multiply(normal, along)), inverse) : undefined,
      wanted[1] ? sumTo(multiply(dy, normal), weight.shape) : undefined
    ]
  })
}

/** SiLU: x · sigmoid(x). */
export function silu(x: GraphNode): GraphNode {
  const gate = sigmoid(x)
  const y = multiply(x, gate)
  // dy/dx = s + x s (1 − s) = s (1 + x − y)
  return withGradient(y, [x], (dy) => [
    multiply(dy, multiply(gate, add(subtract(x, y), x.builder.scalar(1))))
  ])
}
