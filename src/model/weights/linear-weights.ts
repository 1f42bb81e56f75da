import { join } from 'node:path'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { familyOf, linearModules, parseModelConfig, UnsupportedModelError } from '../families/index.ts'
import { weightFiles } from './base-model.ts'
import { transposed } from './transposed.ts'
import { type FileTensor, openWeightFile } from './weight-file.ts'

/** Weights of linear modules in files that stay open: [out, in] in float32, as many rows at a time as are wanted. */
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
 * @throws {UnsupportedModelError} when the model is of another kind
 * @throws {Error} when a file is missing or damaged
 */
export function openBaseWeights(folder: string): LinearWeights {
  const config = parseModelConfig(readJsonObject(join(folder, 'config.json')))
  const family = familyOf(config)
  const linear = linearModules(config)
  const paths = weightFiles(folder).map((file) => join(folder, file))
  return openWeights(paths, folder, (tensorName) => {
    const name = family.parameterName(tensorName)
    const module = name.replace(/\.weight$/, '')
    return linear.has(module) ? { name, isTransposed: family.fanInFanOut } : undefined
  })
}

/**
 * The weights of a file that holds `<module>.weight` as [out, in]: the merged modules of a round.
 *
 * @throws {SafetensorsError} when the file is damaged
 */
export function openModuleWeights(path: string): LinearWeights {
  return openWeights([path], path, (name) => ({ name, isTransposed: false }))
}

interface Place {
  readonly name: string
  /** Whether the file holds [in, out]. */
  readonly isTransposed: boolean
}

function openWeights(
  paths: readonly string[],
  source: string,
  placeOf: (tensorName: string) => Place | undefined
): LinearWeights {
  const opened: { close(): void }[] = []
  const close = (): void => {
    for (const file of opened) file.close()
  }
  const found = new Map<string, FileTensor & Pick<Place, 'isTransposed'>>()
  try {
    for (const path of paths) {
      const file = openWeightFile(path)
      opened.push(file)
      for (const tensor of file.tensors.values()) {
        const place = placeOf(tensor.name)
        if (place !== undefined && tensor.shape.length === 2)
          found.set(place.name, { ...tensor, isTransposed: place.isTransposed })
      }
    }
  } catch (error) {
    close()
    throw error
  }
  const tensorOf = (module: string) => {
    const tensor = found.get(`${module}.weight`)
    if (tensor === undefined) throw new UnsupportedModelError(`${source} has no weight of ${module}`)
    return tensor
  }
  let turned: { readonly module: string; readonly data: Float32Array } | undefined
  return {
    shapeOf(module) {
      const { shape, isTransposed } = tensorOf(module)
      const [rows, columns] = isTransposed ? shape.toReversed() : shape
      return [rows!, columns!]
    },
    readRows(module, row, target) {
      const tensor = tensorOf(module)
      const columns = this.shapeOf(module)[1]
      if (!tensor.isTransposed) return tensor.readRange(target, row * columns)
      // A row of [out, in] is scattered over all of [in, out]: the module at hand is held whole.
      if (turned?.module !== module)
        turned = { module, data: transposed({ shape: tensor.shape, data: tensor.read() }).data }
      target.set(turned.data.subarray(row * columns, row * columns + target.length))
    },
    close
  }
}
