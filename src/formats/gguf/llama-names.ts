import { FormatError } from '../format-error.ts'
import type { Tensor } from '../tensor.ts'

/** The settings that determine names and row order in a GGUF file of the Llama family. */
export interface GgufArchitecture {
  /** ggml's name: `llama` for Llama and Mistral. */
  readonly name: 'llama' | 'qwen2' | 'qwen3'
  readonly heads: number
  readonly keyValueHeads: number
}

/** GGUF names of a layer's modules, by their Hugging Face names. */
const MODULES: Readonly<Record<string, string>> = {
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

const OTHERS: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output'
}

/**
 * GGUF's name of a module: `blk.0.attn_q` for `model.layers.0.self_attn.q_proj`.
 *
 * @throws {FormatError} when the module has no name there
 */
export function ggufModule(module: string): string {
  const match = /^model\.layers\.(\d+)\.(.+)$/.exec(module)
  const name = match === null ? OTHERS[module] : MODULES[match[2]!]
  if (name === undefined) throw new FormatError(`GGUF has no name for ${module}`)
  return match === null ? name : `blk.${match[1]}.${name}`
}

/**
 * Rows of a module's weight, bias or B factor in GGUF's order. Hugging Face's rotary embedding pairs the first half of
 * a head's rows with the second half, llama.cpp's `llama` pairs neighbours, so the rows of q and k are interleaved
 * within each head.
 *
 * @param tensor [out, …]
 * @throws {FormatError} when the rows do not divide into whole heads
 */
export function ggufRows(module: string, tensor: Tensor, architecture: GgufArchitecture): Tensor {
  if (architecture.name !== 'llama') return tensor
  if (module.endsWith('.q_proj')) return interleaveHalves(module, tensor, architecture.heads)
  if (module.endsWith('.k_proj')) return interleaveHalves(module, tensor, architecture.keyValueHeads)
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
