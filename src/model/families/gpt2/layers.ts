import {
  add,
  divide,
  type GraphNode,
  multiply,
  reduceMean,
  squareRoot,
  subtract,
  sumTo,
  tanh,
  withGradient
} from '../../graph/index.ts'

/**
 * LayerNorm: y = w ∘ (x − mean(x)) / √(var(x) + ε) + b, over the last axis.
 *
 * @param x [rows, width]
 * @param weight [width], and `bias` alike
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

/** Factor of the cubic term in the approximation of GELU. */
const CUBIC = 0.044715
const ROOT = Math.sqrt(2 / Math.PI)

/**
 * GELU by its tanh approximation: x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel, "Gaussian error
 * linear units", 2016).
 */
export function gelu(x: GraphNode): GraphNode {
  const { builder } = x
  const scaled = (value: GraphNode, factor: number): GraphNode => multiply(value, builder.scalar(factor))
  const one = builder.scalar(1)
  const square = multiply(x, x)
  const wave = tanh(multiply(x, add(scaled(square, ROOT * CUBIC), builder.scalar(ROOT))))
  const rise = add(wave, one)
  const y = multiply(scaled(x, 0.5), rise)
  // dy/dx = (1 + t)/2 · (1 + x (1 − t) u'), with t = tanh(u) and u' = √(2/π) (1 + 3 · 0.044715 x²).
  return withGradient(y, [x], (dy) => {
    const slope = add(scaled(square, 3 * ROOT * CUBIC), builder.scalar(ROOT))
    const bend = add(multiply(multiply(x, subtract(one, wave)), slope), one)
    return [multiply(dy, multiply(scaled(rise, 0.5), bend))]
  })
}
