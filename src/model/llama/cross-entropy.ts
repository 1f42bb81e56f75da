import {
  exponential,
  type GraphNode,
  gatherElements,
  gatherRows,
  logSoftmax,
  matMul,
  multiply,
  negate,
  reshape,
  scatterAddRows,
  subtract,
  sumAll,
  withGradient
} from '../graph/index.ts'

/**
 * Log-probability of each row's target under the output head: log softmax(x Wᵀ)[target].
 *
 * @param x [rows, width]
 * @param head W [vocabulary, width]
 * @param targets int32 [rows]
 * @returns [rows]
 */
export function targetLogProbabilities(x: GraphNode, head: GraphNode, targets: GraphNode): GraphNode {
  const all = logSoftmax(matMul(x, head, { transposeB: true }))
  const picked = gatherElements(all, targets)
  // By the logits, the gradient of row i is g_i (onehot − P). Neither the one-hot matrix nor the gradient is ever
  // written out: their products with W and x are a gather and a scatter of rows.
  return withGradient(picked, [x, head], (dy, wanted) => {
    const probabilities = exponential(all)
    const factor = reshape(dy, [...dy.shape, 1])
    const weighted = multiply(x, factor)
    return [
      wanted[0]
        ? multiply(subtract(gatherRows(head, targets), matMul(probabilities, head)), factor)
        : undefined,
      wanted[1]
        ? scatterAddRows(matMul(probabilities, negate(weighted), { transposeA: true }), targets, weighted)
        : undefined
    ]
  })
}

/** −Σ weight · log-probability of the target: with weights that sum to 1, the weighted mean cross-entropy in nats. */
export function crossEntropy(
  x: GraphNode,
  head: GraphNode,
  targets: GraphNode,
  weights: GraphNode
): GraphNode {
  return sumAll(multiply(targetLogProbabilities(x, head, targets), negate(weights)))
}
