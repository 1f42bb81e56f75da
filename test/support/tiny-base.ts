import { join } from 'node:path'
import { readJsonObject } from '../../src/formats/hugging-face/read-json.ts'
import { initialiseModel, parseModelConfig, saveBaseModel } from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'
import { TINY_CONFIG } from '../unit/model/tiny-llama.ts'

/** The base model that Loam ships. */
export const SHIPPED_BASE = join(packageRoot(), 'models', 'loam-base-1m')

/**
 * Writes a random Llama of some 30,000 weights with the shipped tokenizer: training and scoring take milliseconds, for
 * tests in which the network is what is tried and not the model.
 *
 * @returns `folder`
 */
export function makeTinyBase(folder: string): string {
  const { vocabularySize } = parseModelConfig(readJsonObject(join(SHIPPED_BASE, 'config.json')))
  const config = { ...TINY_CONFIG, vocabularySize, bosId: 0, eosId: 0 }
  saveBaseModel(folder, {
    config,
    weights: initialiseModel(config, 11),
    tokenizerJson: readJsonObject(join(SHIPPED_BASE, 'tokenizer.json')),
    tokenizerConfigJson: readJsonObject(join(SHIPPED_BASE, 'tokenizer_config.json'))
  })
  return folder
}
