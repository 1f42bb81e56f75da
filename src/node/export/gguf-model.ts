import { type GgufArchitecture, ggufModule, ggufRows } from '../../formats/gguf/llama-names.ts'
import type { ElementFormat, GgufFile, GgufValue, Tensor, TensorMap } from '../../formats/index.ts'
import type { BaseModel, LlamaConfig } from '../../model/index.ts'
import { PeerError } from '../storage/peer-error.ts'
import { tokenizerMetadata } from './gguf-tokenizer.ts'

/** ggml's identifiers of a file's main element format. */
const FILE_TYPES: Readonly<Record<ElementFormat, number>> = { F32: 0, F16: 1, BF16: 32 }
/**
 * The architecture by which llama.cpp knows a model.
 *
 * @throws {PeerError} for a family without GGUF support
 */
export function ggufArchitecture(base: Pick<BaseModel, 'config' | 'folder'>): GgufArchitecture {
  const { attentionBias, outputBias, queryKeyNorm, heads, keyValueHeads } = llamaConfig(base)
  const qwen2 = attentionBias && !outputBias
  return { name: queryKeyNorm === true ? 'qwen3' : qwen2 ? 'qwen2' : 'llama', heads, keyValueHeads }
}

function llamaConfig({ config, folder }: Pick<BaseModel, 'config' | 'folder'>): LlamaConfig {
  if (config.family === undefined || config.family === 'llama') return config
  throw new PeerError(
    `${folder} is of the family ${config.family}; only Llama, Mistral and Qwen models can be written as GGUF`
  )
}

/**
 * A whole model as llama.cpp loads it, with its tokenizer.
 *
 * @param weights by Hugging Face name
 * @throws {PeerError} when its kind of tokenizer is not supported
 */
export async function ggufModel(
  base: BaseModel,
  weights: TensorMap,
  name: string,
  dtype: ElementFormat
): Promise<GgufFile> {
  const architecture = ggufArchitecture(base)
  const tensors = new Map<string, Tensor>()
  for (const [parameter, tensor] of weights) {
    const dot = parameter.lastIndexOf('.')
    const module = parameter.slice(0, dot)
    tensors.set(`${ggufModule(module)}${parameter.slice(dot)}`, ggufRows(module, tensor, architecture))
  }
  const metadata = new Map<string, GgufValue>([
    ['general.architecture', text(architecture.name)],
    ['general.name', text(name)],
    ['general.file_type', count(FILE_TYPES[dtype])],
    ...modelMetadata(base, architecture),
    ...tokenizerMetadata(base)
  ])
  return { metadata, tensors }
}

/** Norms and biases stay in float32, as llama.cpp requires. */
export function ggufFormat(dtype: ElementFormat): (name: string, shape: readonly number[]) => ElementFormat {
  return (_name, shape) => (shape.length < 2 ? 'F32' : dtype)
}

function modelMetadata(base: BaseModel, { name }: GgufArchitecture): [string, GgufValue][] {
  const config = llamaConfig(base)
  if (config.ropeScaling !== undefined || config.windows?.some((window) => window !== null) === true)
    throw new PeerError(
      `${base.folder}: a model with scaled RoPE or sliding windows cannot be written as GGUF; its adapter can (--format gguf)`
    )
  const fields: [string, GgufValue][] = [
    ['block_count', count(config.layers)],
    ['context_length', count(config.maxPositions)],
    ['embedding_length', count(config.hiddenSize)],
    ['feed_forward_length', count(config.intermediateSize)],
    ['vocab_size', count(config.vocabularySize)],
    ['attention.head_count', count(config.heads)],
    ['attention.head_count_kv', count(config.keyValueHeads)],
    ['attention.key_length', count(config.headSize)],
    ['attention.value_length', count(config.headSize)],
    ['attention.layer_norm_rms_epsilon', { type: 'float32', value: config.normEpsilon }],
    ['rope.dimension_count', count(config.headSize)],
    ['rope.freq_base', { type: 'float32', value: config.ropeTheta }]
  ]
  return fields.map(([key, value]) => [`${name}.${key}`, value])
}

function text(value: string): GgufValue {
  return { type: 'string', value }
}

function count(value: number): GgufValue {
  return { type: 'uint32', value }
}
