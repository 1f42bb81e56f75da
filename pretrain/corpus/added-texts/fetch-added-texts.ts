import { Command } from 'commander'
import { fetchAddedTexts } from './fetch.ts'

const program = new Command('npm run pretrain -- texts')
  .description(
    'Fetches the public-domain texts that the larger model is pretrained on in addition to the base text, from Debian 12 packages; ' +
      'nothing is installed.'
  )
  .option('--out <folder>', 'folder for the texts', '.loam/added-texts')
  .addHelpText('after', '\nExample:\n  npm run pretrain -- texts')

const { out } = program.parse().opts<{ out: string }>()
await fetchAddedTexts(out, (line) => console.log(line))
