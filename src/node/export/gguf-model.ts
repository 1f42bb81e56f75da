import {
  type ElementFormat,
  type GgufArchitecture,
  type GgufFile,
  type GgufValue,
  ggufParts,
  type Tensor,
  type TensorMap
} from '../../formats/index.ts'
import type { BaseModel } from '../../model/index.ts'
import { PeerError } from '../storage/peer-error.ts'
import { type GgufFamily, ggufFamily } from './gguf-architecture.ts'
import { tokenizerMetadata } from './gguf-tokenizer.ts'

/** ggml's identifiers of a file's main element format. */
const FILE_TYPES: Readonly<Record<ElementFormat, number>> = { F32: 0, F16: 1, BF16: 32 }

/**
 * The architecture by which llama.cpp knows a model.
 *
 * @throws {PeerError} for a family without GGUF support
 */
export function ggufArchitecture(base: Pick<BaseModel, 'config' | 'folder'>): GgufArchitecture {
  return ggufFamily(base).architecture
}

/**
 * A whole model as llama.cpp loads it, with its tokenizer. Of a model for images too it is the text model.
 *
 * @param weights by Hugging Face name
 * @throws {PeerError} when llama.cpp does not compute the model, or its kind of tokenizer is not supported
 */
export async function ggufModel(
  base: BaseModel,
  weights: TensorMap,
  name: string,
  dtype: ElementFormat
): Promise<GgufFile> {
  const family = ggufFamily(base)
  const { architecture, faults } = family
  if (faults.length > 0)
    throw new PeerError(
      `${base.folder}: llama.cpp does not compute ${faults.join(', ')} as the model does: it cannot be written as GGUF; its adapter can (--format gguf)`
    )
  const tensors = new Map<string, Tensor>(family.tensors)
  for (const [parameter, tensor] of weights) {
    const dot = parameter.lastIndexOf('.')
    for (const [module, part] of ggufParts(parameter.slice(0, dot), tensor, architecture))
      tensors.set(`${module}${parameter.slice(dot)}`, written(module, part, architecture))
  }
  const metadata = new Map<string, GgufValue>([
    ['general.architecture', text(architecture.name)],
    ['general.name', text(name)],
    ['general.file_type', count(FILE_TYPES[dtype])],
    ...modelMetadata(base, family),
    ...tokenizerMetadata(base)
  ])
  return { metadata, tensors }
}

/** Norms with what is added to them, and convolutions without the axis of length 1. */
function written(module: string, { shape, data }: Tensor, { layout = {} }: GgufArchitecture): Tensor {
  const { normOffset = 0 } = layout
  const isNorm = module.endsWith('_norm')
  return {
    shape: shape.length > 2 ? shape.filter((extent) => extent !== 1) : shape,
    data: isNorm && normOffset !== 0 ? data.map((element) => element + normOffset) : data
  }
}

/** Norms, biases and convolutions stay in float32, as llama.cpp requires. */
export function ggufFormat(dtype: ElementFormat): (name: string, shape: readonly number[]) => ElementFormat {
  return (name, shape) => (shape.length < 2 || name.includes('shortconv.conv') ? 'F32' : dtype)
}

function modelMetadata({ config }: BaseModel, { architecture, fields }: GgufFamily): [string, GgufValue][] {
  if (config.family === 'gpt2') return []
  const { headSize, rotarySize = headSize, ropeScaling } = config
  const all: (readonly [string, GgufValue])[] = [
    ['block_count', count(config.layers)],
    ['context_length', count(config.maxPositions)],
    ['embedding_length', count(config.hiddenSize)],
    ['feed_forward_length', count(config.intermediateSize)],
    ['vocab_size', count(config.vocabularySize)],
    ['attention.head_count', count(config.heads)],
    ['attention.head_count_kv', count(config.keyValueHeads)],
    ['attention.key_length', count(headSize)],
    ['attention.value_length', count(headSize)],
    ['attention.layer_norm_rms_epsilon', number(config.normEpsilon)],
    ['rope.dimension_count', count(rotarySize)],
    ['rope.freq_base', number(config.ropeTheta)],
    ...(ropeScaling?.kind === 'linear'
      ? ([
          ['rope.scaling.type', text('linear')],
          ['rope.scaling.factor', number(ropeScaling.factor)]
        ] as const)
      : []),
    ...fields
  ]
  return all.map(([key, value]) => [`${architecture.name}.${key}`, value])
}

function text(value: string): GgufValue {
  return { type: 'string', value }
}

function count(value: number): GgufValue {
  return { type: 'uint32', value }
}

function number(value: number): GgufValue {
  return { type: 'float32', value }
}
