import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import {
  familyOf,
  linearModules,
  type ModelConfig,
  parameterShapes,
  UnsupportedModelError
} from '../families/index.ts'
import { checkShape } from './check-weights.ts'
import { finiteTensor } from './finite-tensor.ts'
import { parameterNames } from './tensor-names.ts'
import { type LatestMatrix, transposedFileTensor } from './transposed.ts'
import { unreadTensors } from './unread-tensors.ts'
import { type FileTensor, openWeightFile, type WeightFile } from './weight-file.ts'

/** The file with a model's weights, if it is a single one. */
export const WEIGHTS_FILE = 'model.safetensors'
const INDEX_FILE = 'model.safetensors.index.json'
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/**
 * Opens the weight files of a base model's folder: the only place that knows which files these are, which parameter a
 * tensor is, and that some families' checkpoints store linear weights as [in, out]. Results have the names and layout
 * of `parameterShapes`. Every tensor is a parameter, a copy of the embedding as the head of a tied model, or known to
 * change nothing.
 *
 * @throws {UnsupportedModelError} when a parameter is missing or of another shape, or a tensor would be ignored
 * @throws {SafetensorsError} when a file is damaged
 * @throws {Error} when weight files are missing; when a tensor with NaN or infinity is read
 */
export function openParameters(folder: string, config: ModelConfig): WeightFile {
  const files: WeightFile[] = []
  const close = (): void => {
    for (const file of files) file.close()
  }
  try {
    const found = weightFiles(folder).flatMap((file) => {
      const path = join(folder, file)
      const opened = openWeightFile(path)
      files.push(opened)
      return [...opened.tensors.values()].map((tensor) => finiteTensor(tensor, path))
    })
    return { tensors: parametersAmong(found, folder, config), close }
  } catch (error) {
    close()
    throw error
  }
}

/** The parameters among the tensors of a folder, by name and with their shapes. */
function parametersAmong(
  found: readonly FileTensor[],
  folder: string,
  config: ModelConfig
): Map<string, FileTensor> {
  const family = familyOf(config)
  const shapes = parameterShapes(config)
  const linear = new Set([...linearModules(config).keys()].map((module) => `${module}.weight`))
  const latest: LatestMatrix = {}
  const byName = byParameterName(found, folder, config)
  const tensors = new Map<string, FileTensor>()
  for (const [name, shape] of shapes) {
    const tensor = byName.get(name)
    byName.delete(name)
    const isTransposed = family.fanInFanOut && linear.has(name)
    const wanted = isTransposed ? shape.toReversed() : shape
    checkShape(folder, tensor?.name ?? name, tensor?.shape, wanted)
    tensors.set(name, { ...(isTransposed ? transposedFileTensor(tensor!, latest) : tensor!), name })
  }
  const unread = unreadTensors(
    config,
    [...byName].map(([name, { shape }]) => ({ name, shape }))
  )
  if (unread !== undefined) throw new UnsupportedModelError(`${folder}: ${unread}`)
  return tensors
}

/** Tensors by parameter name; the head of a tied model is the embedding. */
function byParameterName(
  found: readonly FileTensor[],
  folder: string,
  config: ModelConfig
): Map<string, FileTensor> {
  const family = familyOf(config)
  const nameOf = parameterNames(
    { prefix: family.prefix(config), landmark: family.landmark },
    found.map(({ name }) => name)
  )
  const byName = new Map<string, FileTensor>()
  for (const tensor of found) {
    const name = nameOf(tensor.name)
    const other = byName.get(name)
    if (other !== undefined)
      throw new UnsupportedModelError(
        `${folder}: the weight files contain ${name} twice, as ${other.name} and as ${tensor.name}: remove the file that does not belong to this model`
      )
    byName.set(name, tensor)
  }
  const head = byName.get(OUTPUT_HEAD)
  if (!config.tiedHead || head === undefined) return byName
  byName.delete(OUTPUT_HEAD)
  const table = family.embedding(config)
  const embedding = byName.get(table)
  if (embedding === undefined) byName.set(table, head)
  else if (!sameElements(head, embedding))
    throw new UnsupportedModelError(
      `${folder}: config.json, tie_word_embeddings says that the head is the embedding, but ${head.name} in the weight files differs from ${embedding.name}; transformers 5 computes with ${head.name}: set tie_word_embeddings to false to do the same, or remove ${head.name}`
    )
  return byName
}

/** Name of the head in all families. */
const OUTPUT_HEAD = 'lm_head.weight'
/** Elements compared at a time. */
const COMPARED = 1 << 20

function sameElements(left: FileTensor, right: FileTensor): boolean {
  if (`${left.shape}` !== `${right.shape}`) return false
  const count = elements(left.shape)
  for (let start = 0; start < count; start += COMPARED) {
    const [a, b] = [left, right].map((tensor) => {
      const part = new Float32Array(Math.min(COMPARED, count - start))
      tensor.readRange(part, start)
      return part
    })
    if (!a!.every((value, index) => value === b![index])) return false
  }
  return true
}

/**
 * Refuses a config that describes a model larger than the folder's weight files, before anything is allocated. A folder
 * without weight files is accepted.
 *
 * @throws {UnsupportedModelError} stating both sizes
 */
export function requireFittingConfig(folder: string, config: ModelConfig): void {
  if (!existsSync(join(folder, WEIGHTS_FILE)) && !existsSync(join(folder, INDEX_FILE))) return
  let bytes = 0
  for (const file of weightFiles(folder)) {
    const path = join(folder, file)
    // Throws if the file is missing, truncated or not the intended one.
    openWeightFile(path).close()
    bytes += statSync(path).size
  }
  const one = { ...config, layers: 1 }
  let described = 0
  for (const shape of parameterShapes(one).values()) described += elements(shape)
  for (const { inFeatures, outFeatures } of linearModules(one).values())
    described += (config.layers - 1) * inFeatures * outFeatures
  // Supported formats have at least two bytes per element; one is used here, so that an unsupported format is reported
  // when it is read.
  if (described > bytes)
    throw new UnsupportedModelError(
      `config.json describes at least ${described} weights, and the weight files of ${folder} have ${bytes} bytes: one of the two belongs to another model`
    )
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

/**
 * The names of a folder's weight files.
 *
 * @throws {Error} when there are none, or one listed in the index is missing
 */
export function weightFiles(folder: string): string[] {
  if (existsSync(join(folder, WEIGHTS_FILE))) return [WEIGHTS_FILE]
  const path = join(folder, INDEX_FILE)
  if (!existsSync(path)) throw new Error(noWeights(folder))
  const index = indexSchema.safeParse(readJsonObject(path))
  if (!index.success) throw new Error(`${path}: ${z.prettifyError(index.error)}`)
  const files = [...new Set(Object.values(index.data.weight_map))].sort()
  const outside = files.find((file) => file !== basename(file))
  if (outside !== undefined) throw new Error(`${path} names ${outside}, which is not a file in the folder`)
  return files
}

/** Weights in other formats, and how they become safetensors. */
const OTHER_WEIGHTS: readonly (readonly [RegExp, string])[] = [
  [
    /^adapter_model\.(?:safetensors|bin)$/,
    'it is an adapter: set --model to the folder of its base, and --adapter to this one'
  ],
  [
    /^pytorch_model.*\.bin$|\.(?:pt|pth)$/,
    'load it in transformers and save it again, AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder)'
  ],
  [/\.gguf$/, 'get the folder from which the GGUF was made'],
  [/\.safetensors$/, `download ${WEIGHTS_FILE}, or ${INDEX_FILE} with all files that it names`],
  [
    /^(?:tf_model\.h5|flax_model\.msgpack)$/,
    'load it in transformers with from_tf or from_flax and save it again'
  ]
]

function noWeights(folder: string): string {
  const names = existsSync(folder) ? readdirSync(folder).sort() : []
  for (const [pattern, cure] of OTHER_WEIGHTS) {
    const other = names.find((name) => pattern.test(name))
    if (other !== undefined)
      return `${folder} has neither ${WEIGHTS_FILE} nor ${INDEX_FILE}, but ${other}, which is not supported: ${cure}`
  }
  return `${folder} has neither ${WEIGHTS_FILE} nor ${INDEX_FILE}: download the weights too`
}
