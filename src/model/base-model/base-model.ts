import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { TextTokenizer } from '../../data/text/text-tokenizer.ts'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import type { Tensor } from '../../formats/tensor.ts'
import { type ModelConfig, parseModelConfig, UnsupportedModelError } from '../families/index.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import { openParameters, requireFittingConfig, WEIGHTS_FILE } from '../weights/parameter-files.ts'
import { type GenerationDefaults, loadGenerationDefaults } from './generation-defaults.ts'

const ADAPTER_FILE = 'adapter_config.json'

/** A base model's folder without its weights. */
export interface BaseModelDescription {
  readonly folder: string
  readonly config: ModelConfig
  readonly tokenizer: TextTokenizer
  /** The folder's settings for generating text. */
  readonly generation: GenerationDefaults
}

/** A base model read from a Hugging Face folder. */
export interface BaseModel extends BaseModelDescription {
  /** Every parameter in float32, by its Hugging Face name; weights of linear modules are [out, in] in every family. */
  readonly weights: Map<string, Tensor>
}

/**
 * Loads config.json, tokenizer.json, tokenizer_config.json, generation_config.json (if present) and model.safetensors
 * (or its shards) from a folder; F32, F16 and BF16 weights become float32. The weights are streamed: memory use stays
 * at their float32 size plus a few MiB.
 *
 * @throws {UnsupportedModelError} when the model is not supported, or a tensor is missing or has another shape
 * @throws {Error} when a file is missing or malformed
 */
export function loadBaseModel(folder: string): BaseModel {
  const description = describeBaseModel(folder)
  return { ...description, weights: loadWeights(folder, description.config) }
}

/**
 * Reads a folder except for its weights.
 *
 * @throws {UnsupportedModelError} when the model is not supported, or larger than its weight files
 * @throws {Error} when a file is missing or malformed
 */
export function describeBaseModel(folder: string): BaseModelDescription {
  const configJson = readJsonObject(join(folder, 'config.json'))
  requireNoAdapter(folder)
  const config = inFolder(folder, () => parseModelConfig(configJson))
  requireFittingConfig(folder, config)
  const tokenizer = loadTokenizer(folder)
  requireEmbeddedTokens(tokenizer, config)
  const generation = loadGenerationDefaults(folder, configJson)
  return { folder, config, tokenizer, generation }
}

/** @throws {UnsupportedModelError} naming the folder whose config.json it is */
function inFolder<T>(folder: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof UnsupportedModelError) throw new UnsupportedModelError(`${folder}: ${error.message}`)
    throw error
  }
}

/** A special token without a row in the embedding, such as an added padding token, is harmless until it is used. */
function requireEmbeddedTokens(
  { vocabularySize, tokenName, specialIds }: TextTokenizer,
  config: ModelConfig
): void {
  for (let id = config.vocabularySize; id < vocabularySize; id++) {
    const name = tokenName?.(id)
    if (name === undefined || specialIds?.has(id) === true) continue
    throw new UnsupportedModelError(
      `the tokenizer has ids up to ${vocabularySize - 1}, but config.json, vocab_size is ${config.vocabularySize}: there is no row for ${JSON.stringify(name)}`
    )
  }
}

/** transformers silently applies an adapter in the same folder. */
function requireNoAdapter(folder: string): void {
  if (existsSync(join(folder, WEIGHTS_FILE)) && existsSync(join(folder, ADAPTER_FILE)))
    throw new UnsupportedModelError(
      `${folder} contains a base model and ${ADAPTER_FILE}, whose adapter transformers would apply: move the adapter to a separate folder and set it with --adapter`
    )
}

function loadWeights(folder: string, config: ModelConfig): Map<string, Tensor> {
  const { tensors, close } = openParameters(folder, config)
  try {
    return new Map(
      [...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: tensor.read() }] as const)
    )
  } finally {
    close()
  }
}
