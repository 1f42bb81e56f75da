import { existsSync, statSync } from 'node:fs'
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
import { type LatestMatrix, transposedFileTensor } from './transposed.ts'
import { type FileTensor, openWeightFile, type WeightFile } from './weight-file.ts'

/** The file that holds a model's weights, where one does. */
export const WEIGHTS_FILE = 'model.safetensors'
const INDEX_FILE = 'model.safetensors.index.json'
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/**
 * Opens the weight files of a base model's folder: the one place that knows which files these are, which parameter a
 * tensor is, and that some families' checkpoints hold linear weights as [in, out]. What it gives is named and laid out
 * as `parameterShapes` has it; tensors that are no parameter of the model (masks, tied copies) are left out.
 *
 * @throws {UnsupportedModelError} when a parameter is missing or of another shape
 * @throws {SafetensorsError} when a file is damaged
 * @throws {Error} when there are no weight files
 */
export function openParameters(folder: string, config: ModelConfig): WeightFile {
  const family = familyOf(config)
  const shapes = parameterShapes(config)
  const linear = new Set([...linearModules(config).keys()].map((module) => `${module}.weight`))
  const files: WeightFile[] = []
  const latest: LatestMatrix = {}
  const close = (): void => {
    for (const file of files) file.close()
  }
  const tensors = new Map<string, FileTensor>()
  try {
    for (const file of weightFiles(folder)) {
      const opened = openWeightFile(join(folder, file))
      files.push(opened)
      for (const tensor of opened.tensors.values()) {
        const name = family.parameterName(tensor.name)
        const shape = shapes.get(name)
        if (shape === undefined || tensors.has(name)) continue
        const isTransposed = family.fanInFanOut && linear.has(name)
        checkShape(folder, tensor.name, tensor.shape, isTransposed ? shape.toReversed() : shape)
        tensors.set(name, { ...(isTransposed ? transposedFileTensor(tensor, latest) : tensor), name })
      }
    }
    for (const [name, shape] of shapes) checkShape(folder, name, tensors.get(name)?.shape, shape)
  } catch (error) {
    close()
    throw error
  }
  return { tensors, close }
}

/**
 * Refuses a config that describes more than the folder's weight files have bytes for, before anything is made in its
 * size. A folder without weight files passes.
 *
 * @throws {UnsupportedModelError} saying how much is described, and how much is there
 */
export function requireFittingConfig(folder: string, config: ModelConfig): void {
  if (!existsSync(join(folder, WEIGHTS_FILE)) && !existsSync(join(folder, INDEX_FILE))) return
  let bytes = 0
  for (const file of weightFiles(folder))
    bytes += statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0
  const one = { ...config, layers: 1 }
  let described = 0
  for (const shape of parameterShapes(one).values()) described += elements(shape)
  for (const { inFeatures, outFeatures } of linearModules(one).values())
    described += (config.layers - 1) * inFeatures * outFeatures
  // No format that is read has less than two bytes an element; one, so that such a format is named where it is read.
  if (described > bytes)
    throw new UnsupportedModelError(
      `config.json describes at least ${described} weights, and the weight files of ${folder} have ${bytes} bytes: one of the two is of another model`
    )
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

/** The names of a folder's weight files. */
export function weightFiles(folder: string): string[] {
  if (existsSync(join(folder, WEIGHTS_FILE))) return [WEIGHTS_FILE]
  const path = join(folder, INDEX_FILE)
  if (!existsSync(path))
    throw new Error(
      `${folder} has neither ${WEIGHTS_FILE} nor ${INDEX_FILE}; weights in other formats (pytorch_model.bin) are not read`
    )
  const index = indexSchema.safeParse(readJsonObject(path))
  if (!index.success) throw new Error(`${path}: ${z.prettifyError(index.error)}`)
  const files = [...new Set(Object.values(index.data.weight_map))].sort()
  const outside = files.find((file) => file !== basename(file))
  if (outside !== undefined) throw new Error(`${path} names ${outside}, which is not a file of the folder`)
  return files
}
