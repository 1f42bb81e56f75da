import { join } from 'node:path'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { linearModules, parseModelConfig, UnsupportedModelError } from '../families/index.ts'
import { openParameters } from './parameter-files.ts'
import { type FileTensor, openWeightFile, type WeightFile } from './weight-file.ts'

/** Weights of linear modules in files that stay open: [out, in] in float32, any number of rows at a time. */
export interface LinearWeights {
  /**
   * Rows and columns of a module's weight.
   *
   * @throws {UnsupportedModelError} when there is no such module
   */
  shapeOf(module: string): readonly [number, number]
  /** Fills `target` with whole rows from the `row`-th on. */
  readRows(module: string, row: number, target: Float32Array): void
  close(): void
}

/**
 * The linear weights of a base model's folder.
 *
 * @throws {UnsupportedModelError} when the model is of another kind, or a parameter is missing or of another shape
 * @throws {Error} when a file is missing or damaged
 */
export function openBaseWeights(folder: string): LinearWeights {
  const config = parseModelConfig(readJsonObject(join(folder, 'config.json')))
  return linearWeights(openParameters(folder, config), folder, new Set(linearModules(config).keys()))
}

/**
 * The weights of a file that holds `<module>.weight` as [out, in]: the merged modules of a round.
 *
 * @throws {SafetensorsError} when the file is damaged
 */
export function openModuleWeights(path: string): LinearWeights {
  return linearWeights(openWeightFile(path), path)
}

function linearWeights(
  { tensors, close }: WeightFile,
  source: string,
  modules?: ReadonlySet<string>
): LinearWeights {
  const tensorOf = (module: string): FileTensor => {
    const tensor = modules?.has(module) === false ? undefined : tensors.get(`${module}.weight`)
    if (tensor?.shape.length === 2) return tensor
    throw new UnsupportedModelError(`${source} has no weight of ${module}`)
  }
  return {
    shapeOf: (module) => tensorOf(module).shape as readonly [number, number],
    readRows(module, row, target) {
      const tensor = tensorOf(module)
      tensor.readRange(target, row * tensor.shape[1]!)
    },
    close
  }
}
