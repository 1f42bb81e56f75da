import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { domainsFile } from '../../src/data/index.ts'
import { packDomains } from './packages/index.ts'

new Command('npm run pretrain -- domains')
  .description(`Regenerates the text of the testnet's domains from the text packages: ${domainsFile()}.`)
  .parse()
const bytes = await packDomains()
await writeFile(domainsFile(), bytes)
console.log(`${domainsFile()}: ${bytes.length} bytes`)
