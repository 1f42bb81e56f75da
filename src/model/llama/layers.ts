import {
  add,
  concat,
  divide,
  expand,
  type GraphNode,
  matMul,
  multiply,
  negate,
  reduceMean,
  reduceSum,
  reshape,
  sigmoid,
  softmax,
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

/**
 * Causal scaled dot-product attention. Query heads that share one key head stand one below the other, so that keys and
 * values are never repeated in memory.
 *
 * @param q [batch, keyHeads, group · length, headSize]
 * @param k [batch, keyHeads, length, headSize], and `v` alike
 * @param mask [length, length], 0 where a position may look and very negative where it may not
 */
export function causalAttention(q: GraphNode, k: GraphNode, v: GraphNode, mask: GraphNode): GraphNode {
  const [batch, heads, rows, headSize] = q.shape as [number, number, number, number]
  const length = k.shape[2]!
  const alpha = 1 / Math.sqrt(headSize)
  const scores = matMul(q, k, { transposeB: true, alpha })
  const masked = add(reshape(scores, [batch, heads, rows / length, length, length]), mask)
  const weights = reshape(softmax(masked), scores.shape)
  const y = matMul(weights, v)
  // dS = P ∘ (dP − rowsum(dP ∘ P)), and rowsum(dP ∘ P) = rowsum(dY ∘ Y). Appending −rowsum to dY and ones to V makes
  // the matrix product do the subtraction.
  return withGradient(y, [q, k, v], (dy, wanted) => {
    const dv = wanted[2] ? matMul(weights, dy, { transposeA: true }) : undefined
    if (!wanted[0] && !wanted[1]) return [undefined, undefined, dv]
    const { builder } = q
    const rowSum = negate(reduceSum(multiply(dy, y), [-1]))
    const ones = expand(builder.constant(Float32Array.of(1), [1, 1, 1, 1]), [...v.shape.slice(0, 3), 1])
    const centred = matMul(concat([dy, rowSum], -1), concat([v, ones], -1), { transposeB: true })
    const dScores = multiply(weights, centred)
    return [
      wanted[0] ? matMul(dScores, k, { alpha }) : undefined,
      wanted[1] ? matMul(dScores, q, { transposeA: true, alpha }) : undefined,
      dv
    ]
  })
}
