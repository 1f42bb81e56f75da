import {
  type GraphBuilder,
  type GraphNode,
  multiply,
  reshape,
  slice,
  transpose
} from '../../../graph/index.ts'
import { causalAttention } from '../attention.ts'
import { linear } from '../linear.ts'
import type { ModelNodes } from '../model-nodes.ts'
import type { DecoderConfig, DecoderNames } from './config.ts'
import type { Norm } from './norm.ts'
import { layerName } from './parameters.ts'
import { createRotations, queryGrowth } from './rotations.ts'

/** Parts of the attention of all layers. */
export interface AttentionParts {
  readonly config: DecoderConfig
  readonly names: DecoderNames
  readonly model: ModelNodes
  readonly norm: Norm
  readonly builder: GraphBuilder
  readonly batch: number
  readonly length: number
}

/**
 * Attention with rotated queries and keys, as a function of a layer's input [rows, hiddenSize] and the layer's index.
 * The result has the shape of the input.
 */
export function createAttention(parts: AttentionParts): (x: GraphNode, index: number) => GraphNode {
  const { config, names, model, norm, builder, batch, length } = parts
  const { heads, keyValueHeads, headSize, attentionBias: bias } = config
  const rows = batch * length
  const attend = model.sequence?.attend ?? ((_, q, k, v, settings) => causalAttention(q, k, v, settings))
  const rotations = createRotations(config, builder, length, model.sequence?.positions)
  const growth = queryGrowth(config, builder, length, model.sequence)

  /** [rows, heads · headSize] to [batch, heads, length, headSize]. */
  const split = (x: GraphNode, headCount: number): GraphNode =>
    transpose(reshape(x, [batch, length, headCount, headSize]), [0, 2, 1, 3])

  /** Queries, keys and values, each [rows, heads · headSize]. */
  const project = (x: GraphNode, layer: string): [GraphNode, GraphNode, GraphNode] => {
    const { queryKeyValue } = names
    if (typeof queryKeyValue !== 'string')
      return queryKeyValue.map((name) => linear(model, x, `${layer}.${name}`, bias)) as [
        GraphNode,
        GraphNode,
        GraphNode
      ]
    const all = linear(model, x, `${layer}.${queryKeyValue}`, bias)
    const [first, second] = [heads * headSize, (heads + keyValueHeads) * headSize]
    const end = second + keyValueHeads * headSize
    return [slice(all, 1, 0, first), slice(all, 1, first, second), slice(all, 1, second, end)]
  }

  const normalised = (x: GraphNode, module: string, headCount: number): GraphNode => {
    if (!config.queryKeyNorm) return x
    if (config.queryKeyNorm === 'all-heads') return norm(x, module)
    return norm(reshape(x, [rows * headCount, headSize]), module)
  }

  return (x, index) => {
    const layer = layerName(config, index)
    const rotate = rotations(index)
    const placed = (y: GraphNode, headCount: number): GraphNode =>
      rotate(reshape(y, [batch, length, headCount * headSize]), headCount)
    const [queries, keys, values] = project(x, layer)
    const turned = placed(normalised(queries, `${layer}.${names.queryNorm}`, heads), heads)
    const q = split(growth ? multiply(turned, growth) : turned, heads)
    const k = split(
      placed(normalised(keys, `${layer}.${names.keyNorm}`, keyValueHeads), keyValueHeads),
      keyValueHeads
    )
    const v = split(values, keyValueHeads)
    const grouped = reshape(q, [batch, keyValueHeads, heads / keyValueHeads, length, headSize])
    const attended = attend(index, grouped, k, v, {
      window: config.windows?.[index] ?? undefined,
      scale: config.attentionScale,
      softCap: config.attentionSoftCap
    })
    const y = reshape(attended, [batch, heads, length, headSize])
    const joined = reshape(transpose(y, [0, 2, 1, 3]), [rows, heads * headSize])
    return linear(model, joined, `${layer}.${names.attentionOutput}`, config.outputBias)
  }
}
