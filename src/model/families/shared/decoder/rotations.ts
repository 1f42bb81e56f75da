import {
  concat,
  type GraphBuilder,
  type GraphNode,
  gatherRows,
  reshape,
  rotaryEmbedding,
  slice
} from '../../../graph/index.ts'
import { type Rope, rotaryFrequencies, rotaryScale, rotaryTables } from '../rope.ts'
import type { SequenceNodes } from '../sequence-nodes.ts'
import type { DecoderConfig } from './config.ts'

type Rotation = (x: GraphNode, headCount: number) => GraphNode

/**
 * How each layer rotates queries and keys [batch, length, heads · headSize] by their positions.
 *
 * @param length of a row; positions are 0, 1, 2 … by default
 */
export function createRotations(
  config: DecoderConfig,
  builder: GraphBuilder,
  length: number,
  positions: SequenceNodes['positions']
): (index: number) => Rotation {
  const { headSize, maxPositions, rotarySize = headSize, localRope, unrotated } = config
  const rotation = ({ theta, scaling }: Rope): Rotation => {
    const textLength = positions?.textLength ?? positions?.limit ?? length
    const frequencies = rotaryFrequencies(rotarySize, theta, scaling, { textLength, maxPositions })
    const scale = rotaryScale(scaling)
    const tables = rotaryTables(builder, positions?.limit ?? length, frequencies, scale)
    const ofPositions = (table: GraphNode): GraphNode =>
      positions ? gatherRows(table, positions.node) : table
    const [cosines, sines] = [ofPositions(tables.cosines), ofPositions(tables.sines)]
    return (x, headCount) => rotatedPart(x, cosines, sines, headCount, rotarySize)
  }
  const all = rotation({ theta: config.ropeTheta, scaling: config.ropeScaling })
  const local = localRope && rotation(localRope)
  return (index) => {
    if (unrotated?.[index]) return (x) => x
    return local && localRope.layers[index] ? local : all
  }
}

/** Rotates the first `size` elements of every head and leaves the others unchanged. */
function rotatedPart(
  x: GraphNode,
  cosines: GraphNode,
  sines: GraphNode,
  headCount: number,
  size: number
): GraphNode {
  const [batch, length, width] = x.shape as [number, number, number]
  const headSize = width / headCount
  if (size === headSize) return rotaryEmbedding(x, cosines, sines, headCount)
  const byHead = reshape(x, [batch, length, headCount, headSize])
  const first = reshape(slice(byHead, 3, 0, size), [batch, length, headCount * size])
  const turned = reshape(rotaryEmbedding(first, cosines, sines, headCount), [batch, length, headCount, size])
  return reshape(concat([turned, slice(byHead, 3, size, headSize)], 3), x.shape)
}

/**
 * The factor on the queries of each position, [length, 1] or [batch, length, 1]; undefined if it is 1. Unlike
 * rotations, it depends on absolute positions, which restart with every packed document.
 */
export function queryGrowth(
  { queryGrowth: growth }: DecoderConfig,
  builder: GraphBuilder,
  length: number,
  { positions, restarts }: Pick<SequenceNodes, 'positions' | 'restarts'> = {}
): GraphNode | undefined {
  if (growth === undefined) return undefined
  const factors = Float32Array.from(
    { length: positions?.limit ?? length },
    (_, position) => 1 + growth.beta * Math.log(1 + Math.floor(position / growth.positions))
  )
  const table = builder.constant(factors, [factors.length, 1])
  const indices = restarts ?? positions?.node
  return indices ? gatherRows(table, indices) : table
}
