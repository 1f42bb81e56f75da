import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SafetensorsDtype } from '../../formats/safetensors/safetensors.ts'
import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import { familyOf, linearModules, type ModelConfig, modelConfigJson } from '../families/index.ts'
import { checkWeights } from '../weights/check-weights.ts'
import { WEIGHTS_FILE } from '../weights/parameter-files.ts'
import { transposed } from '../weights/transposed.ts'
import { writeWeightFile } from '../weights/weight-file.ts'

/** The model that `saveBaseModel` writes. */
export interface SaveBaseModelOptions {
  readonly config: ModelConfig
  readonly weights: TensorMap
  /** Contents of tokenizer.json. */
  readonly tokenizerJson: object
  /** Contents of tokenizer_config.json. */
  readonly tokenizerConfigJson: object
  /** Element format of model.safetensors; F32 if absent. */
  readonly dtype?: SafetensorsDtype
}

/**
 * Writes a folder that `loadBaseModel` and Hugging Face's libraries read.
 *
 * @throws {UnsupportedModelError} when the weights do not match the config
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
 * The weights in the layout of the family's checkpoints: transposed if those store linear weights as [in, out] (GPT-2);
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

function writeJson(path: string, json: object): void {
  writeFileSync(path, `${JSON.stringify(json, undefined, 2)}\n`)
}
