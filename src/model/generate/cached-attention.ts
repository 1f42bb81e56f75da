import type { AttentionSettings } from '../families/shared/attention.ts'
import { softCapped } from '../families/shared/soft-cap.ts'
import { add, concat, type GraphNode, matMul, reshape, slice, softmax } from '../graph/index.ts'

/** Keys and values that earlier runs computed, each [batch, keyHeads, capacity, headSize]. */
export interface PastNodes {
  readonly keys: GraphNode
  readonly values: GraphNode
}

/**
 * Attention of new tokens to cached ones and to themselves. The cache is read in place: scores against it and against
 * the new keys are computed separately and joined before the softmax, so that no key or value is copied.
 *
 * @param q [batch, keyHeads, group, length, headSize]
 * @param k keys of the new tokens [batch, keyHeads, length, headSize], and `v` alike
 * @param mask added to the scores, [length, capacity + length]
 * @returns [batch, keyHeads, group, length, headSize]
 */
export function cachedAttention(
  q: GraphNode,
  k: GraphNode,
  v: GraphNode,
  past: PastNodes | undefined,
  mask: GraphNode,
  { scale, softCap }: AttentionSettings = {}
): GraphNode {
  const [batch, heads, group, length, headSize] = q.shape as [number, number, number, number, number]
  const capacity = past?.keys.shape[2] ?? 0
  const rows = reshape(q, [batch, heads, group * length, headSize])
  const alpha = scale ?? 1 / Math.sqrt(headSize)
  const scoresOf = (keys: GraphNode): GraphNode => matMul(rows, keys, { transposeB: true, alpha })
  const all = past ? concat([scoresOf(past.keys), scoresOf(k)], 3) : scoresOf(k)
  const scores = softCapped(all, softCap).capped
  const shape = scores.shape
  const masked = add(reshape(scores, [batch, heads, group, length, capacity + length]), mask)
  const weights = reshape(softmax(masked), shape)
  const y = past
    ? add(
        matMul(slice(weights, 3, 0, capacity), past.values),
        matMul(slice(weights, 3, capacity, capacity + length), v)
      )
    : matMul(weights, v)
  return reshape(y, q.shape)
}

/** A cache and the places of the new tokens in it. */
export interface PlacedNodes extends PastNodes {
  /** One-hot [1, 1, capacity, length]: column j has its 1 at the place of new token j; none for a padding token. */
  readonly placement: GraphNode
}

/**
 * Attention of new tokens to a cache into which they have been placed. A token's scores, softmax and sum then run over
 * the same places in the same order, whichever run computed its neighbours, so the result has the same bits however a
 * text is cut into runs. A product with a one-hot matrix copies exactly; the cache must be 0 at the places.
 *
 * @param q [batch, keyHeads, group, length, headSize]
 * @param k keys of the new tokens [batch, keyHeads, length, headSize], and `v` alike
 * @param mask added to the scores, [length, capacity]
 * @returns [batch, keyHeads, group, length, headSize]
 */
export function placedAttention(
  q: GraphNode,
  k: GraphNode,
  v: GraphNode,
  { keys: pastKeys, values: pastValues, placement }: PlacedNodes,
  mask: GraphNode,
  { scale, softCap }: AttentionSettings = {}
): GraphNode {
  const [batch, heads, group, length, headSize] = q.shape as [number, number, number, number, number]
  const capacity = pastKeys.shape[2]!
  const rows = reshape(q, [batch, heads, group * length, headSize])
  const keys = add(pastKeys, matMul(placement, k))
  const values = add(pastValues, matMul(placement, v))
  const alpha = scale ?? 1 / Math.sqrt(headSize)
  const scores = softCapped(matMul(rows, keys, { transposeB: true, alpha }), softCap).capped
  const masked = add(reshape(scores, [batch, heads, group, length, capacity]), mask)
  const weights = reshape(softmax(masked), scores.shape)
  return reshape(matMul(weights, values), q.shape)
}
