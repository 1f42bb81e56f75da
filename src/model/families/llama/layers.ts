import { type GraphNode, rootMeanSquareNorm } from '../../graph/index.ts'

export { silu } from '../../graph/index.ts'

/**
 * RMSNorm: y = w ∘ x / √(mean(x²) + ε), over the last axis.
 *
 * @param x [rows, width]
 * @param weight [width]
 */
export function rmsNorm(x: GraphNode, weight: GraphNode, epsilon: number): GraphNode {
  return rootMeanSquareNorm(x, weight, epsilon)
}
