import {
  type GraphBuilder,
  type GraphNode,
  less,
  multiply,
  pad,
  reshape,
  slice,
  subtract,
  where
} from '../../graph/index.ts'
import { causalAttention } from './attention.ts'
import type { SequenceNodes } from './sequence-nodes.ts'

/** Graph inputs of rows with several documents: each token's document and its position in it. */
const SEGMENTS = 'segments'
const RESTARTS = 'restarts'

/** Restricts every token of packed rows to its own document, and counts learned positions from its start. */
export function isolatedDocuments(builder: GraphBuilder, batch: number, length: number): SequenceNodes {
  const segments = builder.input(SEGMENTS, [batch, length])
  return {
    restarts: builder.input(RESTARTS, [batch, length], 'int32'),
    attend: (_layer, q, k, v, settings) => causalAttention(q, k, v, { ...settings, segments }),
    within: (distance) => sameDocument(segments, distance)
  }
}

/** Segments are integers, so the squared difference of different ones is at least 1. */
function sameDocument(segments: GraphNode, distance: number): GraphNode {
  const { builder } = segments
  const [batch, length] = segments.shape as [number, number]
  const earlier = slice(pad(segments, 1, distance, 0), 1, 0, length)
  const apart = subtract(segments, earlier)
  const isSame = less(multiply(apart, apart), builder.scalar(0.5))
  return reshape(where(isSame, builder.scalar(1), builder.scalar(0)), [batch, length, 1])
}

/**
 * The input values for {@link isolatedDocuments}.
 *
 * @param segments index of each token's document in its row, [batch · length]; one document per row if absent
 */
export function isolationFeeds(
  segments: Float32Array | undefined,
  batch: number,
  length: number
): [string, Float32Array | Int32Array][] {
  const numbers = segments ?? new Float32Array(batch * length)
  return [
    [SEGMENTS, numbers],
    [RESTARTS, restartedPositions(numbers, length)]
  ]
}

/** Positions that restart where the segment changes, row by row. */
export function restartedPositions(segments: Float32Array, length: number): Int32Array {
  const positions = new Int32Array(segments.length)
  for (let index = 1; index < segments.length; index++)
    if (index % length !== 0 && segments[index] === segments[index - 1])
      positions[index] = positions[index - 1]! + 1
  return positions
}
