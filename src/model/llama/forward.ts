import {
  add,
  type GraphBuilder,
  type GraphNode,
  gatherRows,
  matMul,
  multiply,
  reshape,
  rotaryEmbedding,
  transpose
} from '../graph/index.ts'
import type { SequenceNodes } from '../sequence-nodes.ts'
import { causalAttention } from './attention.ts'
import type { LlamaConfig } from './config.ts'
import { rmsNorm, silu } from './layers.ts'
import { EMBEDDING, FINAL_NORM, layerName } from './parameters.ts'

/** LoRA factors of one module inside a graph: ΔW = scale · B A. */
export interface LoraNodes {
  /** [rank, inFeatures] */
  readonly A: GraphNode
  /** [outFeatures, rank] */
  readonly B: GraphNode
  readonly scale: number
}

/** Where the forward pass finds its parameters. */
export interface ModelNodes {
  /** The parameter of that Hugging Face name. */
  parameter(name: string): GraphNode
  /** LoRA factors by module name; modules without them are plain. */
  readonly lora: ReadonlyMap<string, LoraNodes>
  /** Other positions and another attention than those of a text that begins here. */
  readonly sequence?: SequenceNodes
}

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
  const tables = rotaryTables(builder, positions?.limit ?? length, headSize, config.ropeTheta)
  const ofPositions = (table: GraphNode): GraphNode => (positions ? gatherRows(table, positions.node) : table)
  const [cosines, sines] = [ofPositions(tables.cosines), ofPositions(tables.sines)]
  const attend = model.sequence?.attend ?? ((_, q, k, v) => causalAttention(q, k, v))

  const linear = (x: GraphNode, module: string, bias = false): GraphNode => {
    const plain = matMul(x, model.parameter(`${module}.weight`), { transposeB: true })
    const y = bias ? add(plain, model.parameter(`${module}.bias`)) : plain
    const lora = model.lora.get(module)
    if (!lora) return y
    const low = matMul(x, lora.A, { transposeB: true })
    return add(y, matMul(low, lora.B, { transposeB: true, alpha: lora.scale }))
  }

  /** [rows, heads · headSize] to [batch, heads, length, headSize]. */
  const split = (x: GraphNode, headCount: number): GraphNode =>
    transpose(reshape(x, [batch, length, headCount, headSize]), [0, 2, 1, 3])

  const rotate = (x: GraphNode, headCount: number): GraphNode =>
    rotaryEmbedding(reshape(x, [batch, length, headCount * headSize]), cosines, sines, headCount)

  const attention = (x: GraphNode, layer: number): GraphNode => {
    const name = `${layerName(layer)}.self_attn`
    const q = split(rotate(linear(x, `${name}.q_proj`, config.attentionBias), heads), heads)
    const k = split(rotate(linear(x, `${name}.k_proj`, config.attentionBias), keyValueHeads), keyValueHeads)
    const v = split(linear(x, `${name}.v_proj`, config.attentionBias), keyValueHeads)
    const grouped = reshape(q, [batch, keyValueHeads, heads / keyValueHeads, length, headSize])
    const y = reshape(attend(layer, grouped, k, v), [batch, heads, length, headSize])
    return linear(
      reshape(transpose(y, [0, 2, 1, 3]), [rows, heads * headSize]),
      `${name}.o_proj`,
      config.outputBias
    )
  }

  const feedForward = (x: GraphNode, name: string): GraphNode =>
    linear(multiply(silu(linear(x, `${name}.gate_proj`)), linear(x, `${name}.up_proj`)), `${name}.down_proj`)

  const norm = (x: GraphNode, name: string): GraphNode =>
    rmsNorm(x, model.parameter(name), config.normEpsilon)

  let hidden = gatherRows(model.parameter(EMBEDDING), reshape(inputIds, [rows]))
  for (let index = 0; index < config.layers; index++) {
    const layer = layerName(index)
    hidden = add(hidden, attention(norm(hidden, `${layer}.input_layernorm.weight`), index))
    hidden = add(
      hidden,
      feedForward(norm(hidden, `${layer}.post_attention_layernorm.weight`), `${layer}.mlp`)
    )
  }
  return norm(hidden, FINAL_NORM)
}

/** Cosine and sine of every position's angles t · θ^(−2i / headSize), each [length, headSize / 2]. */
function rotaryTables(
  builder: GraphBuilder,
  length: number,
  headSize: number,
  theta: number
): { cosines: GraphNode; sines: GraphNode } {
  const half = headSize / 2
  const angle = (index: number): number => Math.floor(index / half) * theta ** (-(index % half) / half)
  const table = (wave: (angle: number) => number): GraphNode =>
    builder.constant(
      Float32Array.from({ length: length * half }, (_, index) => wave(angle(index))),
      [length, half]
    )
  return { cosines: table(Math.cos), sines: table(Math.sin) }
}
