import {
  add,
  type GraphNode,
  gatherRows,
  multiply,
  reshape,
  rotaryEmbedding,
  transpose
} from '../../graph/index.ts'
import { causalAttention } from '../shared/attention.ts'
import { embed, layer, linear } from '../shared/linear.ts'
import type { ModelNodes } from '../shared/model-nodes.ts'
import { rotaryFrequencies, rotaryTables } from '../shared/rope.ts'
import type { LlamaConfig } from './config.ts'
import { rmsNorm, silu } from './layers.ts'
import { EMBEDDING, FINAL_NORM, layerName } from './parameters.ts'

/**
 * The Llama decoder up to its final norm.
 *
 * @param inputIds int32 [batch, length]
 * @returns [batch · length, hiddenSize]
 */
export function llamaHidden(config: LlamaConfig, inputIds: GraphNode, model: ModelNodes): GraphNode {
  const { builder } = inputIds
  const [batch, length] = inputIds.shape as [number, number]
  const { heads, keyValueHeads, headSize } = config
  const rows = batch * length
  const positions = model.sequence?.positions
  const frequencies = rotaryFrequencies(headSize, config.ropeTheta, config.ropeScaling)
  const tables = rotaryTables(builder, positions?.limit ?? length, frequencies)
  const ofPositions = (table: GraphNode): GraphNode => (positions ? gatherRows(table, positions.node) : table)
  const [cosines, sines] = [ofPositions(tables.cosines), ofPositions(tables.sines)]
  const attend = model.sequence?.attend ?? ((_, q, k, v, window) => causalAttention(q, k, v, { window }))

  const norm = (x: GraphNode, name: string): GraphNode =>
    rmsNorm(x, model.parameter(name), config.normEpsilon)

  /** [rows, heads · headSize] to [batch, heads, length, headSize]. */
  const split = (x: GraphNode, headCount: number): GraphNode =>
    transpose(reshape(x, [batch, length, headCount, headSize]), [0, 2, 1, 3])

  const rotate = (x: GraphNode, headCount: number): GraphNode =>
    rotaryEmbedding(reshape(x, [batch, length, headCount * headSize]), cosines, sines, headCount)

  /** Queries or keys: projected, normalised by head where the model does so, rotated. */
  const project = (x: GraphNode, name: string, kind: 'q' | 'k', headCount: number): GraphNode => {
    const plain = linear(model, x, `${name}.${kind}_proj`, config.attentionBias)
    if (!config.queryKeyNorm) return split(rotate(plain, headCount), headCount)
    const normal = norm(reshape(plain, [rows * headCount, headSize]), `${name}.${kind}_norm.weight`)
    return split(rotate(normal, headCount), headCount)
  }

  const attention = (x: GraphNode, index: number): GraphNode => {
    const name = `${layerName(index)}.self_attn`
    const q = project(x, name, 'q', heads)
    const k = project(x, name, 'k', keyValueHeads)
    const v = split(linear(model, x, `${name}.v_proj`, config.attentionBias), keyValueHeads)
    const grouped = reshape(q, [batch, keyValueHeads, heads / keyValueHeads, length, headSize])
    const window = config.windows?.[index] ?? undefined
    const y = reshape(attend(index, grouped, k, v, window), [batch, heads, length, headSize])
    const joined = reshape(transpose(y, [0, 2, 1, 3]), [rows, heads * headSize])
    return linear(model, joined, `${name}.o_proj`, config.outputBias)
  }

  const feedForward = (x: GraphNode, name: string): GraphNode => {
    const bias = config.feedForwardBias ?? false
    const gate = silu(linear(model, x, `${name}.gate_proj`, bias))
    return linear(model, multiply(gate, linear(model, x, `${name}.up_proj`, bias)), `${name}.down_proj`, bias)
  }

  let hidden = embed(model, EMBEDDING, reshape(inputIds, [rows]))
  for (let index = 0; index < config.layers; index++) {
    const name = layerName(index)
    hidden = layer(model, name, hidden, (x) => {
      const attended = add(x, attention(norm(x, `${name}.input_layernorm.weight`), index))
      return add(
        attended,
        feedForward(norm(attended, `${name}.post_attention_layernorm.weight`), `${name}.mlp`)
      )
    })
  }
  return norm(hidden, FINAL_NORM)
}
