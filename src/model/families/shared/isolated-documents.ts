import type { GraphBuilder } from '../../graph/index.ts'
import { causalAttention } from './attention.ts'
import type { SequenceNodes } from './sequence-nodes.ts'

/** Graph inputs of rows that hold several documents: each token's document, and its position in it. */
const SEGMENTS = 'segments'
const RESTARTS = 'restarts'

/** Lets every token of packed rows see its own document only, and counts learned positions from its beginning. */
export function isolatedDocuments(builder: GraphBuilder, batch: number, length: number): SequenceNodes {
  const segments = builder.input(SEGMENTS, [batch, length])
  return {
    restarts: builder.input(RESTARTS, [batch, length], 'int32'),
    attend: (_layer, q, k, v, window) => causalAttention(q, k, v, { window, segments })
  }
}

/**
 * What {@link isolatedDocuments} is fed with.
 *
 * @param segments number of each token's document in its row, [batch · length]; one document a row if absent
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

/** Positions that start over where the segment changes, row by row. */
export function restartedPositions(segments: Float32Array, length: number): Int32Array {
  const positions = new Int32Array(segments.length)
  for (let index = 1; index < segments.length; index++)
    if (index % length !== 0 && segments[index] === segments[index - 1])
      positions[index] = positions[index - 1]! + 1
  return positions
}
