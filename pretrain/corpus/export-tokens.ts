import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { loadTokenizer } from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'
import { countBytes, tokenizeDocuments } from './corpus.ts'
import { loadCorpusGroups } from './corpus-groups.ts'
import { encodeTokens } from './token-files.ts'

interface ExportOptions {
  readonly tokenizer: string
  readonly texts: string
  readonly out: string
}

const program = new Command('npm run pretrain -- tokens')
  .description(
    'Writes the pretraining text and the added texts as token files for torch/train.py, split as for the base model and tokenized with its tokenizer. Neither part contains the sixteen domains.'
  )
  .option('--tokenizer <folder>', 'model folder', join(packageRoot(), 'models', 'loam-base-1m'))
  .option('--texts <folder>', 'added texts, fetched by npm run pretrain -- texts', '.loam/added-texts')
  .option('--out <folder>', 'folder for the token files', '.loam/tokens')
  .addHelpText('after', '\nExample:\n  npm run pretrain -- tokens --out .loam/tokens')

const options = program.parse().opts<ExportOptions>()
const tokenizer = loadTokenizer(options.tokenizer)
const { bosId } = tokenizer
if (bosId === undefined)
  throw new Error(`the tokenizer in ${options.tokenizer} has no beginning-of-sequence id`)
mkdirSync(options.out, { recursive: true })
const groups = []
for (const { name, train, heldOut } of await loadCorpusGroups(options.texts)) {
  const sizes: Record<string, number> = {}
  for (const [part, documents] of [
    ['train', train],
    ['heldout', heldOut]
  ] as const) {
    const bytes = encodeTokens(tokenizeDocuments(documents, tokenizer), bosId)
    writeFileSync(join(options.out, `${name}.${part}.u16`), bytes)
    sizes[`${part}Documents`] = documents.length
    sizes[`${part}Bytes`] = countBytes(documents)
    sizes[`${part}Tokens`] = bytes.length / 2
  }
  console.log(name, sizes)
  groups.push({ name, ...sizes })
}
const tokenizerSha256 = createHash('sha256')
  .update(readFileSync(join(options.tokenizer, 'tokenizer.json')))
  .digest('hex')
writeFileSync(
  join(options.out, 'tokens.json'),
  `${JSON.stringify({ tokenizerSha256, vocabularySize: tokenizer.vocabularySize, bosId, groups }, null, 2)}\n`
)
