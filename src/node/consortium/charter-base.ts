import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileDigest, modelDigest, type Tensor } from '../../formats/index.ts'
import { type BaseModel, expandTargetModules } from '../../model/index.ts'
import { type Charter, equalBytes, hex } from '../../protocol/index.ts'
import { PeerError } from '../storage/peer-error.ts'

/** What a charter says of the base model. */
export type CharterBase = Charter['base']

/**
 * Describes a base model for a charter: digests of its files, and the modules that members may adapt.
 *
 * @param targetModules full module names or endings such as `q_proj`
 */
export async function describeBase(base: BaseModel, targetModules: readonly string[]): Promise<CharterBase> {
  const modules = expandTargetModules(base.config, targetModules)
  return {
    ...(await fileDigests(base.folder)),
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

async function fileDigests(folder: string): Promise<Pick<CharterBase, 'config' | 'tokenizer' | 'weights'>> {
  const weightFiles = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort()
  return {
    config: await fileDigest(join(folder, 'config.json')),
    tokenizer: await fileDigest(join(folder, 'tokenizer.json')),
    weights: await fileDigest(...weightFiles.map((name) => join(folder, name)))
  }
}

/**
 * Checks that the base model in a folder is the one the charter names.
 *
 * @throws {PeerError} naming the file that is missing or differs
 */
export async function requireCharterBase(folder: string, charter: Charter): Promise<void> {
  for (const file of ['config.json', 'tokenizer.json']) {
    if (!existsSync(join(folder, file)))
      throw new PeerError(`${folder} holds no base model (no ${file}): set --model to its folder`)
  }
  const digests = await fileDigests(folder)
  for (const file of ['config', 'tokenizer', 'weights'] as const) {
    if (!equalBytes(digests[file], charter.base[file]))
      throw new PeerError(
        `${folder} is not the consortium's base model: its ${file} digest is ${hex(digests[file])}, the charter's ${hex(charter.base[file])}`
      )
  }
}
