import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { encodeText } from '../../src/data/index.ts'
import { createDecoder, loadBaseModel } from '../../src/model/index.ts'
import { loadPretrainingCorpus } from '../corpus/corpus.ts'
import { positiveInteger } from '../support/option-values.ts'

interface DumpOptions {
  readonly model: string
  readonly out: string
  readonly texts: number
  readonly threads: number
}

const program = new Command('npm run pretrain -- logits')
  .description(
    "Writes some held-out texts and Loam's logits at each of their positions for torch/compare_logits.py."
  )
  .requiredOption('--model <folder>', 'Hugging Face folder')
  .requiredOption('--out <folder>', 'folder for logits.f32 and texts.json')
  .option('--texts <n>', 'number of texts, spread over the held-out documents', positiveInteger, 6)
  .option('--threads <n>', 'threads of the executor', positiveInteger, 2)
  .addHelpText(
    'after',
    '\nExample:\n  npm run pretrain -- logits --model models/loam-base-8m --out .loam/logits'
  )

const { model, out, texts, threads } = program.parse().opts<DumpOptions>()
const { config, tokenizer, weights } = loadBaseModel(model)
const decoder = createDecoder({ config, threads })
const { heldOut } = await loadPretrainingCorpus()
const chosen = Array.from(
  { length: texts },
  (_, index) => heldOut[Math.floor((index * heldOut.length) / texts)]!
)
const rows: Float32Array[] = []
const written = []
for (const { id, text } of chosen) {
  const ids = encodeText(tokenizer, text).slice(0, config.maxPositions)
  const decoded = decoder.start(weights)
  // One token at a time, to get the logits of every position through the key-value cache.
  for (const token of ids) rows.push(Float32Array.from(await decoded.append([token])))
  written.push({ id, text, ids })
}
await decoder.dispose()
mkdirSync(out, { recursive: true })
writeFileSync(join(out, 'texts.json'), JSON.stringify(written))
writeFileSync(join(out, 'logits.f32'), Buffer.concat(rows.map(({ buffer }) => new Uint8Array(buffer))))
console.log(`${rows.length} positions of ${texts} texts in ${out}`)
