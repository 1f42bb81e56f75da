import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { decodeSafetensors, encodeSafetensors, type SafetensorsDtype } from '../adapter/safetensors.ts'
import type { Tensor, TensorMap } from '../adapter/tensor.ts'
import type { TextTokenizer } from '../data/text-tokenizer.ts'
import { type LlamaConfig, llamaConfigJson, parseLlamaConfig, UnsupportedModelError } from './llama/config.ts'
import { parameterShapes } from './llama/parameters.ts'
import { readJsonObject } from './read-json.ts'
import { loadTokenizer } from './tokenizer.ts'

const WEIGHTS_FILE = 'model.safetensors'
const INDEX_FILE = 'model.safetensors.index.json'
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/** A base model read from a Hugging Face folder. */
export interface BaseModel {
  readonly folder: string
  readonly config: LlamaConfig
  readonly tokenizer: TextTokenizer
  /** Every parameter in float32, by its Hugging Face name. */
  readonly weights: Map<string, Tensor>
}

/**
 * Loads config.json, tokenizer.json, tokenizer_config.json and model.safetensors (or its shards) from a folder; F32,
 * F16 and BF16 weights become float32.
 *
 * @throws {UnsupportedModelError} when the model is of another kind, or a tensor is missing or of another shape
 * @throws {Error} when a file is missing or malformed
 */
export function loadBaseModel(folder: string): BaseModel {
  const config = parseLlamaConfig(readJsonObject(join(folder, 'config.json')))
  const weights = loadWeights(folder, config)
  const tokenizer = loadTokenizer(folder)
  if (tokenizer.vocabularySize > config.vocabularySize) {
    throw new UnsupportedModelError(
      `the tokenizer has ids up to ${tokenizer.vocabularySize - 1}, but config.json, vocab_size is ${config.vocabularySize}`
    )
  }
  return { folder, config, tokenizer, weights }
}

/** What `saveBaseModel` writes. */
export interface SaveBaseModelOptions {
  readonly config: LlamaConfig
  readonly weights: TensorMap
  /** Contents of tokenizer.json. */
  readonly tokenizerJson: object
  /** Contents of tokenizer_config.json. */
  readonly tokenizerConfigJson: object
  /** Element format of model.safetensors; F32 where it is absent. */
  readonly dtype?: SafetensorsDtype
}

/**
 * Writes a folder that `loadBaseModel` and Hugging Face's libraries read.
 *
 * @throws {UnsupportedModelError} when the weights do not fit the config
 */
export function saveBaseModel(folder: string, options: SaveBaseModelOptions): void {
  const { config, weights, dtype = 'F32' } = options
  checkWeights(config, weights, 'the weights')
  mkdirSync(folder, { recursive: true })
  const torchType = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }[dtype]
  writeJson(join(folder, 'config.json'), { ...llamaConfigJson(config), torch_dtype: torchType })
  writeJson(join(folder, 'tokenizer.json'), options.tokenizerJson)
  writeJson(join(folder, 'tokenizer_config.json'), options.tokenizerConfigJson)
  writeFileSync(join(folder, WEIGHTS_FILE), encodeSafetensors(weights, { dtype, metadata: { format: 'pt' } }))
}

/**
 * Checks that `weights` hold every parameter of the model in its shape.
 *
 * @param source what holds them, for the message
 * @throws {UnsupportedModelError} naming the tensor and both shapes
 */
export function checkWeights(config: LlamaConfig, weights: TensorMap, source: string): void {
  for (const [name, shape] of parameterShapes(config)) {
    const found = weights.get(name)?.shape
    if (`${found}` !== `${shape}`) {
      const instead = found ? `has shape [${found}]` : 'is missing'
      throw new UnsupportedModelError(`${source}: ${name} ${instead}, config.json asks for [${shape}]`)
    }
  }
}

function loadWeights(folder: string, config: LlamaConfig): Map<string, Tensor> {
  const wanted = parameterShapes(config)
  const weights = new Map<string, Tensor>()
  for (const file of weightFiles(folder)) {
    const select = (name: string): boolean => wanted.has(name)
    const { tensors } = decodeSafetensors(readFileSync(join(folder, file)), { select })
    for (const [name, tensor] of tensors) weights.set(name, tensor)
  }
  checkWeights(config, weights, folder)
  return weights
}

function weightFiles(folder: string): string[] {
  if (existsSync(join(folder, WEIGHTS_FILE)) || !existsSync(join(folder, INDEX_FILE))) return [WEIGHTS_FILE]
  const index = indexSchema.safeParse(readJsonObject(join(folder, INDEX_FILE)))
  if (!index.success) throw new Error(`${join(folder, INDEX_FILE)}: ${z.prettifyError(index.error)}`)
  const files = [...new Set(Object.values(index.data.weight_map))].sort()
  const outside = files.find((file) => file !== basename(file))
  if (outside)
    throw new Error(`${join(folder, INDEX_FILE)} names ${outside}, which is not a file of the folder`)
  return files
}

function writeJson(path: string, json: object): void {
  writeFileSync(path, `${JSON.stringify(json, undefined, 2)}\n`)
}
