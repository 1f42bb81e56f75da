import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import type { TextTokenizer } from '../../data/text/text-tokenizer.ts'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import type { SafetensorsDtype } from '../../formats/safetensors/safetensors.ts'
import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import {
  familyOf,
  linearModules,
  type ModelConfig,
  modelConfigJson,
  parameterShapes,
  parseModelConfig,
  UnsupportedModelError
} from '../families/index.ts'
import { type GenerationDefaults, loadGenerationDefaults } from '../generate/generation-defaults.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import { transposed } from './transposed.ts'
import { type FileTensor, visitWeightFile, writeWeightFile } from './weight-file.ts'

const WEIGHTS_FILE = 'model.safetensors'
const INDEX_FILE = 'model.safetensors.index.json'
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/** A base model's folder without its weights. */
export interface BaseModelDescription {
  readonly folder: string
  readonly config: ModelConfig
  readonly tokenizer: TextTokenizer
  /** What the folder says of generating text. */
  readonly generation: GenerationDefaults
}

/** A base model read from a Hugging Face folder. */
export interface BaseModel extends BaseModelDescription {
  /** Every parameter in float32, by its Hugging Face name; weights of linear modules are [out, in] in every family. */
  readonly weights: Map<string, Tensor>
}

/**
 * Loads config.json, tokenizer.json, tokenizer_config.json, generation_config.json (where it is) and model.safetensors
 * (or its shards) from a folder; F32, F16 and BF16 weights become float32. The weights are streamed: memory stays at
 * their float32 size and a few MiB.
 *
 * @throws {UnsupportedModelError} when the model is of another kind, or a tensor is missing or of another shape
 * @throws {Error} when a file is missing or malformed
 */
export function loadBaseModel(folder: string): BaseModel {
  const description = describeBaseModel(folder)
  return { ...description, weights: loadWeights(folder, description.config) }
}

/**
 * Reads all of a folder but its weights.
 *
 * @throws {UnsupportedModelError} when the model is of another kind
 * @throws {Error} when a file is missing or malformed
 */
export function describeBaseModel(folder: string): BaseModelDescription {
  const configJson = readJsonObject(join(folder, 'config.json'))
  const config = parseModelConfig(configJson)
  const tokenizer = loadTokenizer(folder)
  if (tokenizer.vocabularySize > config.vocabularySize) {
    throw new UnsupportedModelError(
      `the tokenizer has ids up to ${tokenizer.vocabularySize - 1}, but config.json, vocab_size is ${config.vocabularySize}`
    )
  }
  const generation = loadGenerationDefaults(folder, configJson)
  return { folder, config, tokenizer, generation }
}

/** What `saveBaseModel` writes. */
export interface SaveBaseModelOptions {
  readonly config: ModelConfig
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
  writeJson(join(folder, 'config.json'), { ...modelConfigJson(config), torch_dtype: torchType })
  writeJson(join(folder, 'tokenizer.json'), options.tokenizerJson)
  writeJson(join(folder, 'tokenizer_config.json'), options.tokenizerConfigJson)
  const tensors = checkpointTensors(config, weights)
  writeWeightFile(join(folder, WEIGHTS_FILE), tensors, { dtype, metadata: { format: 'pt' } })
}

/**
 * The weights as the family's checkpoints hold them: where those have linear weights as [in, out] (GPT-2), transposed;
 * all others share memory.
 */
export function checkpointTensors(config: ModelConfig, weights: TensorMap): Map<string, Tensor> {
  const tensors = new Map(weights)
  if (!familyOf(config).fanInFanOut) return tensors
  for (const module of linearModules(config).keys()) {
    const weight = weights.get(`${module}.weight`)
    if (weight) tensors.set(`${module}.weight`, transposed(weight))
  }
  return tensors
}

/**
 * Checks that `weights` hold every parameter of the model in its shape.
 *
 * @param source what holds them, for the message
 * @throws {UnsupportedModelError} naming the tensor and both shapes
 */
export function checkWeights(config: ModelConfig, weights: TensorMap, source: string): void {
  for (const [name, shape] of parameterShapes(config)) {
    const found = weights.get(name)?.shape
    if (`${found}` !== `${shape}`) throw misfit(source, name, found, shape)
  }
}

/**
 * Calls `visit` with every parameter in the folder's weight files, once each.
 *
 * @param visit its third argument says whether the tensor is to be transposed after reading
 * @throws {UnsupportedModelError} when a tensor is missing or of another shape
 */
export function visitWeights(
  folder: string,
  config: ModelConfig,
  visit: (name: string, tensor: FileTensor, transpose: boolean) => void
): void {
  const family = familyOf(config)
  const missing = parameterShapes(config)
  const linear = new Set([...linearModules(config).keys()].map((module) => `${module}.weight`))
  for (const file of weightFiles(folder)) {
    visitWeightFile(join(folder, file), (tensor) => {
      const name = family.parameterName(tensor.name)
      const shape = missing.get(name)
      if (shape === undefined) return
      const transpose = family.fanInFanOut && linear.has(name)
      const onDisk = transpose ? shape.toReversed() : shape
      if (`${tensor.shape}` !== `${onDisk}`) throw misfit(folder, tensor.name, tensor.shape, onDisk)
      missing.delete(name)
      visit(name, tensor, transpose)
    })
  }
  for (const [name, shape] of missing) throw misfit(folder, name, undefined, shape)
}

function loadWeights(folder: string, config: ModelConfig): Map<string, Tensor> {
  const weights = new Map<string, Tensor>()
  visitWeights(folder, config, (name, tensor, transpose) => {
    const read = { shape: tensor.shape, data: tensor.read() }
    weights.set(name, transpose ? transposed(read) : read)
  })
  return weights
}

/** Says that a tensor is missing, or that it has another shape than config.json asks for. */
export function misfit(
  source: string,
  name: string,
  found: readonly number[] | undefined,
  shape: readonly number[]
): UnsupportedModelError {
  const instead = found ? `has shape [${found}]` : 'is missing'
  return new UnsupportedModelError(`${source}: ${name} ${instead}, config.json asks for [${shape}]`)
}

/** The names of a folder's weight files. */
export function weightFiles(folder: string): string[] {
  if (existsSync(join(folder, WEIGHTS_FILE))) return [WEIGHTS_FILE]
  if (!existsSync(join(folder, INDEX_FILE))) {
    throw new Error(
      `${folder} has neither ${WEIGHTS_FILE} nor ${INDEX_FILE}; weights in other formats (pytorch_model.bin) are not read`
    )
  }
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
