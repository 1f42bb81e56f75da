import { add, type GraphNode, gatherRows, reshape, slice, transpose } from '../../graph/index.ts'
import { gelu } from '../shared/activations.ts'
import { causalAttention } from '../shared/attention.ts'
import { embed, layer, linear } from '../shared/linear.ts'
import type { ModelNodes } from '../shared/model-nodes.ts'
import type { Gpt2Config } from './config.ts'
import { layerNorm } from './layers.ts'
import { FINAL_NORM, layerName, POSITION_EMBEDDING, TOKEN_EMBEDDING } from './parameters.ts'

/**
 * The GPT-2 decoder up to its final norm.
 *
 * @param inputIds int32 [batch, length]
 * @returns [batch · length, hiddenSize]
 * @throws {Error} if the sequence is longer than the table of learned positions
 */
export function gpt2Hidden(config: Gpt2Config, inputIds: GraphNode, model: ModelNodes): GraphNode {
  const [batch, length] = inputIds.shape as [number, number]
  const { heads, headSize, hiddenSize, maxPositions } = config
  const rows = batch * length
  if (length > maxPositions)
    throw new Error(`a sequence of ${length} tokens is longer than the model's ${maxPositions} positions`)
  const attend = model.sequence?.attend ?? ((_, q, k, v) => causalAttention(q, k, v))

  const norm = (x: GraphNode, name: string): GraphNode =>
    layerNorm(x, model.parameter(`${name}.weight`), model.parameter(`${name}.bias`), config.normEpsilon)

  const attention = (x: GraphNode, index: number): GraphNode => {
    const name = `${layerName(index)}.attn`
    const all = reshape(linear(model, x, `${name}.c_attn`, true), [batch, length, 3 * heads, headSize])
    const [q, k, v] = [0, 1, 2].map((index) =>
      transpose(slice(all, 2, index * heads, (index + 1) * heads), [0, 2, 1, 3])
    ) as [GraphNode, GraphNode, GraphNode]
    const y = attend(index, reshape(q, [batch, heads, 1, length, headSize]), k, v)
    const joined = transpose(reshape(y, [batch, heads, length, headSize]), [0, 2, 1, 3])
    return linear(model, reshape(joined, [rows, hiddenSize]), `${name}.c_proj`, true)
  }

  const feedForward = (x: GraphNode, name: string): GraphNode =>
    linear(model, gelu(linear(model, x, `${name}.c_fc`, true)), `${name}.c_proj`, true)

  const tokens = embed(model, TOKEN_EMBEDDING, inputIds)
  let hidden = reshape(add(tokens, positionEmbedding(length, model)), [rows, hiddenSize])
  for (let index = 0; index < config.layers; index++) {
    const name = layerName(index)
    hidden = layer(model, name, hidden, (x) => {
      const attended = add(x, attention(norm(x, `${name}.ln_1`), index))
      return add(attended, feedForward(norm(attended, `${name}.ln_2`), `${name}.mlp`))
    })
  }
  return norm(hidden, FINAL_NORM)
}

/** Learned vectors of the positions, [length, hidden] or [batch, length, hidden]. */
function positionEmbedding(length: number, { parameter, sequence }: ModelNodes): GraphNode {
  const table = parameter(POSITION_EMBEDDING)
  const indices = sequence?.restarts ?? sequence?.positions?.node
  if (indices) return gatherRows(table, indices)
  return length === table.shape[0] ? table : slice(table, 0, 0, length)
}
