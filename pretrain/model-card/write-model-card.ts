import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Command } from 'commander'
import { parseLlamaConfig } from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'
import { measureAddedTexts, measureDomains, measureModel, measureModels } from '../scoring/measure.ts'
import { positiveInteger } from '../support/option-values.ts'
import { readTrainingRecord } from '../training/training-record.ts'
import { largerModelCard, type MeasuredModel } from './larger-model-card.ts'
import { modelCard } from './model-card-text.ts'
import { sampleModel } from './samples.ts'

interface CardOptions {
  readonly model: string
  readonly texts: string
  readonly threads: number
}

const program = new Command('npm run pretrain -- card')
  .description(
    "Measures a model folder and writes its README.md from the measurements and the run's training.json."
  )
  .option('--model <folder>', 'output folder of pretrain', join(packageRoot(), 'models', 'loam-base-1m'))
  .option(
    '--texts <folder>',
    'folder of the added texts, if the model was trained on them',
    '.loam/added-texts'
  )
  .option('--threads <n>', 'threads of the executor', positiveInteger, 2)
  .addHelpText('after', '\nExample:\n  npm run pretrain -- card --model models/loam-base-1m')

const { model, texts, threads } = program.parse().opts<CardOptions>()
const facts = {
  config: parseLlamaConfig(JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))),
  weightBytes: statSync(join(model, 'model.safetensors')).size
}
const record = readTrainingRecord(model)
const samples = await sampleModel(model, threads)
const path = join(model, 'README.md')
if (record.grownFrom === undefined) {
  const measurement = await measureModel(model, threads)
  writeFileSync(path, modelCard(facts, record, measurement, await measureDomains(model, threads), samples))
} else {
  const [larger, smaller] = await measureBoth([model, join(dirname(model), record.grownFrom.model)])
  writeFileSync(path, largerModelCard(facts, record, larger, smaller, samples))
}
console.log(`wrote ${path}`)

async function measureBoth(folders: readonly [string, string]): Promise<[MeasuredModel, MeasuredModel]> {
  const [larger, smaller] = await measureModels(folders, threads)
  const rest = async (folder: string): Promise<Omit<MeasuredModel, 'measurement'>> => ({
    name: basename(folder),
    domains: await measureDomains(folder, threads),
    addedTexts: await measureAddedTexts(folder, texts, threads)
  })
  return [
    { ...(await rest(folders[0])), measurement: larger! },
    { ...(await rest(folders[1])), measurement: smaller! }
  ]
}
