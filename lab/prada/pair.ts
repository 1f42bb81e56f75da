import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TensorMap } from '../../src/formats/index.ts'
import { type BaseModel, loadBaseModel } from '../../src/model/index.ts'
import {
  createDecoderModel,
  type Proxy as ProxyModels,
  readVocabulary,
  requireSameVocabulary,
  type Vocabulary
} from '../../src/prada/index.ts'

/** The consortium's small model, and the large one that it steers. */
export interface Pair {
  readonly proxy: BaseModel
  readonly remote: BaseModel
  readonly vocabulary: Vocabulary
}

/**
 * Loads both models.
 *
 * @throws {Error} if a folder cannot be loaded, or the vocabularies differ
 */
export function loadPair(proxyFolder: string, remoteFolder: string): Pair {
  for (const [flag, folder] of [
    ['--proxy', proxyFolder],
    ['--remote', remoteFolder]
  ] as const)
    if (!existsSync(join(folder, 'config.json')))
      throw new Error(`${flag} ${folder} is not a model folder: it has no config.json`)
  const [proxy, remote] = [loadBaseModel(proxyFolder), loadBaseModel(remoteFolder)]
  const vocabulary = vocabularyOf(proxyFolder, proxy)
  requireSameVocabulary(vocabulary, vocabularyOf(remoteFolder, remote))
  return { proxy, remote, vocabulary }
}

function vocabularyOf(folder: string, { tokenizer }: BaseModel): Vocabulary {
  return readVocabulary(JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')), tokenizer)
}

/** The device's two models. */
export function proxyOf({ proxy }: Pair, adapted: TensorMap): ProxyModels {
  const { config, weights } = proxy
  return {
    base: createDecoderModel({ config, weights }),
    adapted: createDecoderModel({ config, weights: adapted })
  }
}
