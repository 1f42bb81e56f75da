import { add, type GraphNode, multiply, silu, subtract, tanh, withGradient } from '../../graph/index.ts'

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

/** Activations of a feed-forward network: SiLU, or GELU by its tanh approximation. */
export const ACTIVATIONS = { silu, gelu } as const
export type Activation = keyof typeof ACTIVATIONS
