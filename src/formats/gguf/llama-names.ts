import { FormatError } from '../format-error.ts'
import type { Tensor } from '../tensor.ts'

/** The architecture that determines names and row order in a GGUF file. */
export interface GgufArchitecture {
  /** ggml's name: `llama` for Llama and Mistral. */
  readonly name: string
  readonly heads: number
  readonly keyValueHeads: number
  /** Names and numbers that differ from those of `llama`; none if absent. */
  readonly layout?: GgufLayout
}

/** Names and numbers specific to a ggml architecture. */
export interface GgufLayout {
  /**
   * GGUF's names of a layer's modules by their Hugging Face names; several if the rows are divided evenly among them.
   */
  readonly modules?: Readonly<Record<string, string | readonly string[]>>
  /** Names of modules outside the layers. */
  readonly others?: Readonly<Record<string, string>>
  /** Offset added to the weights of norms; 0 if absent. */
  readonly normOffset?: number
}

const MODULES: Readonly<Record<string, string | readonly string[]>> = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm'
}

const OTHERS: Readonly<Record<string, string>> = { embed_tokens: 'token_embd', norm: 'output_norm' }

/** Architectures that rotate neighbours in a head, where Hugging Face rotates its halves against each other. */
const INTERLEAVED = new Set(['llama', 'granite', 'smollm3'])

const LAYER = /^model\.(?:language_model\.)?layers\.(\d+)\.(.+)$/
const OTHER = /^model\.(?:language_model\.)?([^.]+)$/

/**
 * GGUF's names of a module: `blk.0.attn_q` for `model.layers.0.self_attn.q_proj`. If there are several, each has its
 * part of the rows.
 *
 * @throws {FormatError} if GGUF has no name for the module
 */
export function ggufModules(module: string, { layout = {} }: GgufArchitecture): readonly string[] {
  const match = LAYER.exec(module)
  if (match !== null) {
    const names = { ...MODULES, ...layout.modules }[match[2]!]
    if (names !== undefined) return [names].flat().map((name) => `blk.${match[1]}.${name}`)
  }
  const other =
    module === 'lm_head' ? 'output' : { ...OTHERS, ...layout.others }[OTHER.exec(module)?.[1] ?? '']
  if (match !== null || other === undefined) throw new FormatError(`GGUF has no name for ${module}`)
  return [other]
}

/**
 * Converts a parameter to GGUF: its names without the suffix, and its rows in GGUF's order.
 *
 * @param module without the suffix `.weight` or `.bias`
 * @param tensor a weight, a bias, or the factor B of LoRA [out, …]
 * @throws {FormatError} if GGUF has no name for the module, or its rows cannot be divided
 */
export function ggufParts(
  module: string,
  tensor: Tensor,
  architecture: GgufArchitecture
): readonly (readonly [name: string, part: Tensor])[] {
  const names = ggufModules(module, architecture)
  const rows = tensor.shape[0]! / names.length
  if (!Number.isInteger(rows))
    throw new FormatError(`${module}: its rows cannot be divided into ${names.length} equal parts`)
  const whole = ggufRows(module, tensor, architecture)
  if (names.length === 1) return [[names[0]!, whole]]
  const size = whole.data.length / names.length
  return names.map((name, index) => [
    name,
    { shape: [rows, ...whole.shape.slice(1)], data: whole.data.slice(index * size, (index + 1) * size) }
  ])
}

/** Rows in GGUF's order: those of q and k are interleaved, head by head, for architectures that rotate neighbours. */
function ggufRows(module: string, tensor: Tensor, { name, heads, keyValueHeads }: GgufArchitecture): Tensor {
  if (!INTERLEAVED.has(name)) return tensor
  if (module.endsWith('.q_proj')) return interleaveHalves(module, tensor, heads)
  if (module.endsWith('.k_proj')) return interleaveHalves(module, tensor, keyValueHeads)
  return tensor
}

/** Moves row `half · size/2 + i` of every head to row `2i + half`. */
function interleaveHalves(module: string, { shape, data }: Tensor, heads: number): Tensor {
  const rows = shape[0]!
  const size = rows / heads
  if (!Number.isInteger(size) || size % 2 !== 0)
    throw new FormatError(`${module}: ${rows} rows cannot be divided into ${heads} heads of even size`)
  const width = data.length / rows
  const moved = new Float32Array(data.length)
  for (let row = 0; row < rows; row++) {
    const inHead = row % size
    const half = inHead < size / 2 ? 0 : 1
    const target = row - inHead + 2 * (inHead - (half * size) / 2) + half
    moved.set(data.subarray(row * width, (row + 1) * width), target * width)
  }
  return { shape, data: moved }
}
