import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readJsonObject } from '../../../src/formats/hugging-face/read-json.ts'
import { initialiseModel, parseModelConfig, saveBaseModel } from '../../../src/model/index.ts'
import type { Home } from '../../../src/node/home/home.ts'
import { packageRoot } from '../../../src/package-root.ts'
import { TINY_CONFIG } from '../../unit/model/tiny-llama.ts'
import { splitWeights } from '../../unit/node/split-weights.ts'

const SHIPPED = join(packageRoot(), 'models', 'loam-base-1m')

/** A small base model in two weight files that is not the shipped one, in a folder of its own. */
export async function makeOtherBase(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'loam-other-base-'))
  const { vocabularySize } = parseModelConfig(readJsonObject(join(SHIPPED, 'config.json')))
  const config = { ...TINY_CONFIG, vocabularySize, bosId: 0, eosId: 0 }
  saveBaseModel(folder, {
    config,
    weights: initialiseModel(config, 11),
    tokenizerJson: readJsonObject(join(SHIPPED, 'tokenizer.json')),
    tokenizerConfigJson: readJsonObject(join(SHIPPED, 'tokenizer_config.json'))
  })
  await splitWeights(folder, 2)
  return folder
}

/** A home's settings without the folder of the base model. @returns that folder */
export async function forgetModel(home: Home): Promise<string> {
  const { model, ...settings } = JSON.parse(await readFile(home.config, 'utf8')) as { model: string }
  await writeFile(home.config, JSON.stringify(settings))
  return model
}
