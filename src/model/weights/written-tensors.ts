import { join } from 'node:path'
import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import { familyOf, type ModelConfig } from '../families/index.ts'
import { isOfOtherTower } from '../families/shared/text-tower.ts'
import { weightFiles } from './parameter-files.ts'
import { parameterNames } from './tensor-names.ts'
import { openWeightFile } from './weight-file.ts'

/**
 * The tensors of a folder like that of the base, with other weights in it. Where the text model is a part of a larger
 * one, they have the names that they have in the base's files, and the tensors of the other parts are there too.
 *
 * @param tensors all parameters as the family's checkpoints hold them
 * @throws {Error} when a file of the base is missing or damaged
 */
export function writtenTensors(folder: string, config: ModelConfig, tensors: TensorMap): Map<string, Tensor> {
  if (!('tower' in config) || config.tower === undefined) return new Map(tensors)
  const family = familyOf(config)
  const written = new Map<string, Tensor>()
  const files = weightFiles(folder).map((file) => openWeightFile(join(folder, file)))
  try {
    const all = files.flatMap((file) => [...file.tensors.values()])
    const nameOf = parameterNames(
      { prefix: family.prefix(config), landmark: family.landmark },
      all.map(({ name }) => name)
    )
    for (const { name, shape, read } of all) {
      const own = tensors.get(nameOf(name))
      if (own !== undefined) written.set(name, own)
      else if (isOfOtherTower(name)) written.set(name, { shape, data: read() })
    }
  } finally {
    for (const { close } of files) close()
  }
  return written
}
