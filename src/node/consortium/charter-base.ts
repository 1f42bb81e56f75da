import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  blockListDigest,
  type ListedFile,
  modelDigest,
  readBlockList,
  type Tensor
} from '../../formats/index.ts'
import { type BaseModel, expandTargetModules } from '../../model/index.ts'
import { type BaseFile, baseFileBytesMax, type Charter, equalBytes, hex } from '../../protocol/index.ts'
import { PeerError } from '../storage/peer-error.ts'
import { coveredFiles } from './base-folder.ts'

/** What a charter says about the base model. */
export type CharterBase = Charter['base']

/**
 * Describes a base model for a charter: its files, and the modules that members may adapt.
 *
 * @param targetModules full module names or endings such as `q_proj`
 * @throws {PeerError} when the folder has a file that a charter cannot cover
 */
export async function describeBase(base: BaseModel, targetModules: readonly string[]): Promise<CharterBase> {
  const modules = expandTargetModules(base.config, targetModules)
  return {
    files: await describeFiles(base.folder),
    modelDigest: Buffer.from(modelDigest(moduleWeights(base, modules)), 'hex'),
    modules: modules.map((module) => {
      const [outFeatures, inFeatures] = weightOf(base, module).shape as [number, number]
      return { module, inFeatures, outFeatures }
    })
  }
}

/** The weights of the modules that members may adapt, by module name. */
export function moduleWeights(base: BaseModel, modules: readonly string[]): Map<string, Tensor> {
  return new Map(modules.map((module) => [module, weightOf(base, module)]))
}

function weightOf(base: BaseModel, module: string): Tensor {
  const weight = base.weights.get(`${module}.weight`)
  if (weight === undefined) throw new PeerError(`${base.folder} has no module ${module}`)
  return weight
}

/** The files that a charter covers in a model's folder. @throws {PeerError} as {@link coveredFiles} */
export async function describeFiles(folder: string): Promise<BaseFile[]> {
  const files: BaseFile[] = []
  for (const path of await coveredFiles(folder)) {
    const { size } = await stat(join(folder, path))
    if (size === 0 || size > baseFileBytesMax(path))
      throw new PeerError(
        `${join(folder, path)} has ${size} bytes: a charter covers files of 1 to ${baseFileBytesMax(path)} bytes`
      )
    const { bytes, list } = await readBlockList(join(folder, path))
    files.push({ path, bytes, blocks: blockListDigest(list) })
  }
  return files
}

/**
 * Checks that the base model in a folder is the charter's.
 *
 * @returns the charter's files, ready to be served
 * @throws {PeerError} naming the file that is missing, different, or not in the charter
 */
export async function requireCharterBase(folder: string, { base }: Charter): Promise<ListedFile[]> {
  const fault = (reason: string) => new PeerError(`${folder} is not the consortium's base model: ${reason}`)
  const found = new Set(await coveredFiles(folder))
  for (const { path } of base.files) if (!found.delete(path)) throw fault(`it has no ${path}`)
  for (const path of found) throw fault(`it has ${path}, which the charter's does not have: move it away`)
  for (const { path, bytes } of base.files) {
    const { size } = await stat(join(folder, path))
    if (size !== bytes) throw fault(`its ${path} has ${size} bytes, the charter's ${bytes}`)
  }
  const listed: ListedFile[] = []
  for (const { path, blocks } of base.files) {
    const file = await readBlockList(join(folder, path))
    const digest = blockListDigest(file.list)
    if (!equalBytes(digest, blocks))
      throw fault(`its ${path} differs (block list ${hex(digest)}, the charter's ${hex(blocks)})`)
    listed.push(file)
  }
  return listed
}
