import { join } from 'node:path'
import { Command } from 'commander'
import { packageRoot } from '../../src/package-root.ts'
import { assembleModel, type ModelParts } from './assemble-model.ts'

const models = join(packageRoot(), 'models')

const program = new Command('npm run pretrain -- assemble')
  .description('Creates a Hugging Face folder for a model trained by torch/train.py.')
  .requiredOption('--trained <folder>', 'output folder of torch/train.py')
  .option('--tokens <folder>', 'token files that it was trained on', '.loam/tokens')
  .option('--smaller <folder>', 'model with the same tokenizer', join(models, 'loam-base-1m'))
  .option('--out <folder>', 'folder for the model', join(models, 'loam-base-8m'))
  .addHelpText(
    'after',
    '\nExample:\n  npm run pretrain -- assemble --trained .loam/torch-model --out models/loam-base-8m'
  )

const parts = program.parse().opts<ModelParts>()
assembleModel(parts)
console.log(`wrote ${parts.out}`)
