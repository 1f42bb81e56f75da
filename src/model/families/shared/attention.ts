import {
  add,
  concat,
  expand,
  type GraphBuilder,
  type GraphNode,
  matMul,
  multiply,
  negate,
  reduceSum,
  reshape,
  slice,
  softmax,
  subtract,
  transpose,
  withGradient
} from '../../graph/index.ts'
import { softCapped } from './soft-cap.ts'

/** Score of a masked position; its softmax weight is exactly 0. */
const MASKED_SCORE = -1e9

/** Block size of queries, in positions. Each block attends only to the keys up to its end. */
const BLOCK_POSITIONS = 128

/** Settings of a layer's attention. */
export interface AttentionSettings {
  /** Maximum number of keys that a query attends to, including its own; all if absent. */
  readonly window?: number | undefined
  /** Factor on the product of query and key; 1 / √headSize if absent. */
  readonly scale?: number | undefined
  /** c of c · tanh(score / c), which bounds the scores (Gemma 2); unbounded if absent. */
  readonly softCap?: number | undefined
}

/** Limits on attention, and the settings of its scores. */
export interface AttentionLimits extends AttentionSettings {
  /** Index of each token's packed document, float32 [batch, length]; a token attends only to its own document. */
  readonly segments?: GraphNode | undefined
}

/**
 * Causal scaled dot-product attention. Query heads that share a key head are rows of one matrix, so keys and values are
 * never repeated in memory. The upper triangle of the scores is computed only inside the diagonal blocks, and scores
 * before the window only in blocks that overlap it.
 *
 * @param q [batch, keyHeads, group, length, headSize]
 * @param k [batch, keyHeads, length, headSize], as is `v`
 * @returns [batch, keyHeads, group, length, headSize]
 */
export function causalAttention(
  q: GraphNode,
  k: GraphNode,
  v: GraphNode,
  { window = Number.POSITIVE_INFINITY, segments, ...settings }: AttentionLimits = {}
): GraphNode {
  const length = k.shape[2]!
  const block = (start: number): GraphNode => {
    const end = Math.min(length, start + BLOCK_POSITIONS)
    const first = Math.max(0, start - window + 1)
    const mask = causalMask(q.builder, end - start, end - first, window)
    const apart = segments && segmentMask(segments, start, first, end)
    const [keys, values] = [part(k, 2, first, end), part(v, 2, first, end)]
    return blockAttention(part(q, 3, start, end), keys, values, apart ? add(apart, mask) : mask, settings)
  }
  const others: GraphNode[] = []
  for (let start = BLOCK_POSITIONS; start < length; start += BLOCK_POSITIONS) others.push(block(start))
  return others.length === 0 ? block(0) : concat([block(0), ...others], 3)
}

/** Attention of the queries of the last positions to all keys, with `mask` added to the scores. */
function blockAttention(
  q: GraphNode,
  k: GraphNode,
  v: GraphNode,
  mask: GraphNode,
  { scale, softCap }: AttentionSettings
): GraphNode {
  const { builder } = q
  const [batch, heads, group, queries, headSize] = q.shape as [number, number, number, number, number]
  const keys = k.shape[2]!
  const alpha = scale ?? 1 / Math.sqrt(headSize)
  const rows = reshape(q, [batch, heads, group * queries, headSize])
  const { capped: scores, slope } = softCapped(matMul(rows, k, { transposeB: true, alpha }), softCap)
  const masked = add(reshape(scores, [batch, heads, group, queries, keys]), mask)
  const weights = reshape(softmax(masked), scores.shape)
  const y = matMul(weights, v)
  // dS = P ∘ (dP − rowsum(dP ∘ P)), and rowsum(dP ∘ P) = rowsum(dY ∘ Y). Appending −rowsum to dY and ones to V makes
  // the matrix product do the subtraction.
  const result = withGradient(y, [rows, k, v], (dy, wanted) => {
    const dv = wanted[2] ? productTransposed(dy, weights) : undefined
    if (!wanted[0] && !wanted[1]) return [undefined, undefined, dv]
    const rowSum = negate(reduceSum(multiply(dy, y), [-1]))
    const ones = expand(builder.constant(Float32Array.of(1), [1, 1, 1, 1]), [...v.shape.slice(0, 3), 1])
    const centred = matMul(concat([dy, rowSum], -1), concat([v, ones], -1), { transposeB: true })
    const dCapped = multiply(weights, centred)
    const dScores = slope ? multiply(dCapped, slope()) : dCapped
    return [
      wanted[0] ? matMul(dScores, k, { alpha }) : undefined,
      wanted[1] ? productTransposed(rows, dScores, alpha) : undefined,
      dv
    ]
  })
  return reshape(result, q.shape)
}

/** (alpha · aᵀ b)ᵀ = alpha · bᵀ a, which reads the large `b` in memory order. */
function productTransposed(a: GraphNode, b: GraphNode, alpha = 1): GraphNode {
  return transpose(matMul(a, b, { transposeA: true, alpha }), [0, 1, 3, 2])
}

function part(x: GraphNode, axis: number, start: number, end: number): GraphNode {
  return start === 0 && end === x.shape[axis] ? x : slice(x, axis, start, end)
}

/**
 * Mask [batch, 1, 1, end − start, end − first] that is 0 where query and key are in the same segment. Segments are
 * integers, so the squared difference of different ones is at least 1.
 */
function segmentMask(segments: GraphNode, start: number, first: number, end: number): GraphNode {
  const batch = segments.shape[0]!
  const ofQueries = reshape(part(segments, 1, start, end), [batch, 1, 1, end - start, 1])
  const ofKeys = reshape(part(segments, 1, first, end), [batch, 1, 1, 1, end - first])
  const distance = subtract(ofQueries, ofKeys)
  return multiply(multiply(distance, distance), segments.builder.scalar(MASKED_SCORE))
}

/** Mask [queries, keys] for queries at the last positions of the keys. */
function causalMask(builder: GraphBuilder, queries: number, keys: number, window: number): GraphNode {
  const values = new Float32Array(queries * keys)
  for (let row = 0; row < queries; row++) {
    const own = keys - queries + row
    values.fill(MASKED_SCORE, row * keys, row * keys + Math.max(0, own - window + 1))
    values.fill(MASKED_SCORE, row * keys + own + 1, (row + 1) * keys)
  }
  return builder.constant(values, [queries, keys])
}
