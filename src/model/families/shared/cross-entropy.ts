import {
  add,
  concat,
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
  slice,
  sumAll,
  withGradient
} from '../../graph/index.ts'
import { softCapped } from './soft-cap.ts'

/** Maximum number of logits held in memory at once (32 MiB). */
const CHUNK_ELEMENTS = 2 ** 23
/** With fewer rows, matrix products would be inefficient. */
const LEAST_CHUNK_ROWS = 128

/**
 * Log-probability of each row's target under the output head: log softmax(x Wᵀ)[target].
 *
 * @param x [rows, width]
 * @param head W [vocabulary, width]
 * @param targets int32 [rows]
 * @param softCap bound on the logits, see `softCapped`; none if absent
 * @returns [rows]
 */
export function targetLogProbabilities(
  x: GraphNode,
  head: GraphNode,
  targets: GraphNode,
  softCap?: number
): GraphNode {
  return concat(
    mapChunks(x, head, targets, (rows, ids) =>
      gatherElements(logProbabilities(rows, head, softCap).all, ids)
    ),
    0
  )
}

/**
 * −Σ weight · log-probability of the target: with weights that sum to 1, the weighted mean cross-entropy in nats.
 *
 * The rows are processed in chunks. Each chunk yields its part of the loss and of the gradient, so only the logits of
 * one chunk are in memory at a time.
 *
 * @param x [rows, width]
 * @param head W [vocabulary, width]
 * @param targets int32 [rows]
 * @param weights [rows]
 * @param softCap bound on the logits, see `softCapped`; none if absent
 */
export function crossEntropy(
  x: GraphNode,
  head: GraphNode,
  targets: GraphNode,
  weights: GraphNode,
  softCap?: number
): GraphNode {
  const [rows, width] = x.shape as [number, number]
  // The gradient of row i's log-probability with respect to the logits is onehot − P. Neither the one-hot matrix nor
  // the
  // gradient is materialised: their products with W and x are a gather and a scatter of rows. After a soft cap both are
  // multiplied by its slope.
  const scored = concat(
    mapChunks(x, head, targets, (part, ids) => {
      const { all, slope } = logProbabilities(part, head, softCap)
      const column = (x: GraphNode): GraphNode => reshape(gatherElements(x, ids), [ids.shape[0]!, 1])
      const own = gatherRows(head, ids)
      const gradient = add(
        slope ? multiply(own, column(slope)) : own,
        matMul(slope ? multiply(exponential(all), slope) : exponential(all), head, { alpha: -1 })
      )
      return concat([column(all), gradient, ...(slope ? [column(slope)] : [])], 1)
    }),
    0
  )
  const picked = reshape(slice(scored, 1, 0, 1), [rows])
  const differentiable = withGradient(picked, [x, head], (dy, wanted) => {
    const factor = reshape(dy, [rows, 1])
    const weighted = multiply(x, factor)
    const byHead = (): GraphNode => {
      const negative = negate(weighted)
      const parts = mapChunks(x, head, targets, (part, _ids, start, end) =>
        matMul(probabilitySlope(part, head, softCap), rowsOf(negative, start, end), { transposeA: true })
      )
      const own =
        softCap === undefined ? weighted : multiply(weighted, slice(scored, 1, 1 + width, 2 + width))
      return scatterAddRows(parts.reduce(add), targets, own)
    }
    return [
      wanted[0] ? multiply(slice(scored, 1, 1, 1 + width), factor) : undefined,
      wanted[1] ? byHead() : undefined
    ]
  })
  return sumAll(multiply(differentiable, negate(weights)))
}

/** log softmax(x Wᵀ), and the slope of the soft cap, if there is one. */
function logProbabilities(
  x: GraphNode,
  head: GraphNode,
  softCap: number | undefined
): { readonly all: GraphNode; readonly slope: GraphNode | undefined } {
  const { capped, slope } = softCapped(matMul(x, head, { transposeB: true }), softCap)
  return { all: logSoftmax(capped), slope: slope?.() }
}

/** P ∘ slope: the part of the gradient with respect to the logits that comes from the sum over the vocabulary. */
function probabilitySlope(x: GraphNode, head: GraphNode, softCap: number | undefined): GraphNode {
  const { all, slope } = logProbabilities(x, head, softCap)
  return slope ? multiply(exponential(all), slope) : exponential(all)
}

type ChunkRule = (rows: GraphNode, targets: GraphNode, start: number, end: number) => GraphNode

/** Applies `rule` to chunks of the rows that are small enough for a chunk's logits to stay within the bound. */
function mapChunks(
  x: GraphNode,
  head: GraphNode,
  targets: GraphNode,
  rule: ChunkRule
): [GraphNode, ...GraphNode[]] {
  const rows = x.shape[0]!
  const most = Math.max(LEAST_CHUNK_ROWS, Math.floor(CHUNK_ELEMENTS / head.shape[0]!))
  const size = Math.ceil(rows / Math.ceil(rows / most))
  const chunk = (start: number): GraphNode => {
    const end = Math.min(rows, start + size)
    return rule(rowsOf(x, start, end), rowsOf(targets, start, end), start, end)
  }
  const others: GraphNode[] = []
  for (let start = size; start < rows; start += size) others.push(chunk(start))
  return [chunk(0), ...others]
}

function rowsOf(x: GraphNode, start: number, end: number): GraphNode {
  return start === 0 && end === x.shape[0] ? x : slice(x, 0, start, end)
}
