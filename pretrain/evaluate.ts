import { join } from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { packageRoot } from '../src/package-root.ts'
import { type DomainLoss, type Loss, type Measurement, measureDomains, measureModel } from './measure.ts'
import { positiveInteger } from './option-values.ts'

interface EvaluateOptions {
  readonly model: string
  readonly threads: number
  readonly domains: boolean
  readonly json: boolean
}

const program = new Command('npm run pretrain -- evaluate')
  .description(
    'Measures the shipped base model on held-out pretraining documents beside a unigram and an interpolated ' +
      'Kneser-Ney bigram over the same tokens.'
  )
  .option('--model <folder>', 'Hugging Face folder', join(packageRoot(), 'models', 'loam-base-1m'))
  .option('--threads <n>', 'threads of the executor', positiveInteger, 2)
  .option('--domains', 'also measure the 16 domains that peers fine-tune on', false)
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    '\nExamples:\n  npm run pretrain -- evaluate\n  npm run --silent pretrain -- evaluate --domains --json'
  )

/** No colours and no lines between rows: the tables are quoted in documents. */
const PLAIN = { head: [], border: [], compact: true }

const options = program.parse().opts<EvaluateOptions>()
const measurement = await measureModel(options.model, options.threads)
const domains = options.domains ? await measureDomains(options.model, options.threads) : undefined
console.log(
  options.json
    ? JSON.stringify({ ...measurement, ...(domains && { domains }) })
    : report(measurement, domains)
)

function report(
  { parameters, unigram, bigram, model, margin }: Measurement,
  domains: DomainLoss[] | undefined
): string {
  const head = ['', 'nats per token', 'bits per byte', 'tokens']
  const row = (name: string, { nats, bitsPerByte, tokens }: Loss): string[] => [
    name,
    nats.toFixed(4),
    bitsPerByte.toFixed(4),
    String(tokens)
  ]
  const table = new Table({ head, style: PLAIN })
  table.push(row('unigram', unigram), row('Kneser-Ney bigram', bigram), row('model', model))
  const lines = [`${parameters} parameters; held-out pretraining documents:`, table.toString()]
  lines.push(`the model lies ${margin.toFixed(4)} nats per token below the bigram`)
  if (domains) {
    const domainTable = new Table({ head, style: PLAIN })
    for (const loss of domains) domainTable.push(row(loss.domain, loss))
    lines.push('held-out part of the domains, whose text was never trained on:', domainTable.toString())
  }
  return lines.join('\n')
}
