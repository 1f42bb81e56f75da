import { writeFile } from 'node:fs/promises'
import { domainsFile } from '../src/data/index.ts'
import { packDomains } from './corpora/index.ts'

/** Writes the text of the testnet's domains anew: `npm run pretrain -- domains`. */
const bytes = await packDomains()
await writeFile(domainsFile(), bytes)
console.log(`${domainsFile()}: ${bytes.length} bytes`)
