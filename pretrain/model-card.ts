import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { parseLlamaConfig } from '../src/model/index.ts'
import { packageRoot } from '../src/package-root.ts'
import { measureDomains, measureModel } from './measure.ts'
import { modelCard } from './model-card-text.ts'
import { positiveInteger } from './option-values.ts'
import { sampleModel } from './samples.ts'
import { readTrainingRecord } from './training-record.ts'

interface CardOptions {
  readonly model: string
  readonly threads: number
}

const program = new Command('npm run pretrain -- card')
  .description(
    "Measures a model folder again and writes its README.md from the measurements and the run's training.json."
  )
  .option('--model <folder>', 'folder that pretrain wrote', join(packageRoot(), 'models', 'loam-base-1m'))
  .option('--threads <n>', 'threads of the executor', positiveInteger, 2)
  .addHelpText('after', '\nExample:\n  node dist/pretrain/model-card.js --model models/loam-base-1m')

const { model, threads } = program.parse().opts<CardOptions>()
const facts = {
  config: parseLlamaConfig(JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))),
  weightBytes: statSync(join(model, 'model.safetensors')).size
}
const measurement = await measureModel(model, threads)
const domains = await measureDomains(model, threads)
const samples = await sampleModel(model, threads)
writeFileSync(
  join(model, 'README.md'),
  modelCard(facts, readTrainingRecord(model), measurement, domains, samples)
)
console.log(`wrote ${join(model, 'README.md')}`)
