import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type GgufArchitecture, ggufModule, ggufRows } from '../../formats/gguf/llama-names.ts'
import type { ElementFormat, GgufFile, GgufValue, Tensor, TensorMap } from '../../formats/index.ts'
import type { BaseModel, LlamaConfig } from '../../model/index.ts'
import { PeerError } from '../storage/peer-error.ts'

/** ggml's identifiers of a file's main element format. */
const FILE_TYPES: Readonly<Record<ElementFormat, number>> = { F32: 0, F16: 1, BF16: 32 }
/** ggml's kinds of tokens. */
const NORMAL_TOKEN = 1
const CONTROL_TOKEN = 3

const tokenizerSchema = z.looseObject({
  model: z.looseObject({
    type: z.literal('BPE', 'only byte-level BPE tokenizers can be written as GGUF'),
    vocab: z.record(z.string(), z.int().nonnegative()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
    byte_fallback: z.literal(false, 'a tokenizer with byte fallback cannot be written as GGUF').nullish()
  }),
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string(), special: z.boolean() })).nullish(),
  pre_tokenizer: z.unknown()
})

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
    ...(await tokenizerMetadata(base))
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

async function tokenizerMetadata({ folder, config }: BaseModel): Promise<[string, GgufValue][]> {
  const path = join(folder, 'tokenizer.json')
  const parsed = tokenizerSchema.safeParse(JSON.parse(await readFile(path, 'utf8')))
  if (!parsed.success) throw new PeerError(`${path}: ${z.prettifyError(parsed.error)}`)
  const { model, added_tokens, pre_tokenizer } = parsed.data
  if (!JSON.stringify(pre_tokenizer ?? null).includes('"ByteLevel"'))
    throw new PeerError(`${path}: only byte-level BPE tokenizers can be written as GGUF`)
  // Ids beyond the tokenizer's, which a padded embedding has, must have names too.
  const tokens = Array.from({ length: config.vocabularySize }, (_, id) => `<unused-${id}>`)
  const types = tokens.map(() => CONTROL_TOKEN)
  for (const [token, id] of Object.entries(model.vocab)) {
    tokens[id] = token
    types[id] = NORMAL_TOKEN
  }
  for (const { id, content, special } of added_tokens ?? []) {
    tokens[id] = content
    types[id] = special ? CONTROL_TOKEN : NORMAL_TOKEN
  }
  const merges = model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')))
  return [
    ['tokenizer.ggml.model', text('gpt2')],
    ['tokenizer.ggml.pre', text('gpt-2')],
    ['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: tokens }],
    ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: types }],
    ['tokenizer.ggml.merges', { type: 'array', of: 'string', value: merges }],
    ...optionalId('tokenizer.ggml.bos_token_id', config.bosId),
    ...optionalId('tokenizer.ggml.eos_token_id', config.eosId),
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: config.bosId !== undefined }]
  ]
}

function optionalId(key: string, id: number | undefined): [string, GgufValue][] {
  return id === undefined ? [] : [[key, count(id)]]
}

function text(value: string): GgufValue {
  return { type: 'string', value }
}

function count(value: number): GgufValue {
  return { type: 'uint32', value }
}
