import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { packageRoot } from '../../src/package-root.ts'
import { positiveInteger } from '../support/option-values.ts'
import {
  type AddedTextLoss,
  type DomainLoss,
  type Loss,
  type Measurement,
  measureAddedTexts,
  measureDomains,
  measureModels
} from './measure.ts'

interface EvaluateOptions {
  readonly model: readonly string[]
  readonly threads: number
  readonly domains: boolean
  readonly texts?: string
  readonly json: boolean
}

/** All measurements of one model. */
interface Evaluation extends Measurement {
  readonly name: string
  readonly domains?: readonly DomainLoss[]
  readonly addedTexts?: readonly AddedTextLoss[]
}

/** The shipped model, and its larger sibling if it exists. */
const MODELS = ['loam-base-1m', 'loam-base-8m']
  .map((name) => join(packageRoot(), 'models', name))
  .filter((folder) => existsSync(folder))

const program = new Command('npm run pretrain -- evaluate')
  .description(
    'Compares models on held-out pretraining documents with each other, a unigram and an interpolated ' +
      'Kneser-Ney bigram over the same tokens.'
  )
  .option('--model <folder...>', 'Hugging Face folders', MODELS)
  .option('--threads <n>', 'threads of the executor', positiveInteger, 2)
  .option('--domains', 'also measure the 16 domains that peers fine-tune on', false)
  .option('--texts <folder>', 'also measure the held-out part of the added texts, fetched to this folder')
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    '\nExamples:\n' +
      '  npm run pretrain -- evaluate\n' +
      '  npm run pretrain -- evaluate --model models/loam-base-1m my-model --domains\n' +
      '  npm run --silent pretrain -- evaluate --domains --texts .loam/added-texts --json'
  )

/** No colours and no lines between rows, so that documents can quote the tables. */
const PLAIN = { head: [], border: [], compact: true }

const evaluations = await evaluate(program.parse().opts<EvaluateOptions>())
console.log(
  program.opts<EvaluateOptions>().json ? JSON.stringify({ models: evaluations }) : report(evaluations)
)

async function evaluate({ model, threads, domains, texts }: EvaluateOptions): Promise<Evaluation[]> {
  const measurements = await measureModels(model, threads)
  const result: Evaluation[] = []
  for (const [index, folder] of model.entries()) {
    result.push({
      name: basename(folder),
      ...measurements[index]!,
      ...(domains && { domains: await measureDomains(folder, threads) }),
      ...(texts !== undefined && { addedTexts: await measureAddedTexts(folder, texts, threads) })
    })
  }
  return result
}

function report(models: readonly Evaluation[]): string {
  const [first] = models
  const lines = models.map(({ name, parameters }) => `${name}: ${parameters.toLocaleString('en')} parameters`)
  const table = newTable(models)
  table.push(row('unigram', [first!.unigram]), row('Kneser-Ney bigram', [first!.bigram]))
  table.push(
    row(
      'model',
      models.map(({ model }) => model)
    )
  )
  lines.push('held-out pretraining documents:', table.toString())
  for (const { name, margin } of models)
    lines.push(`${name} is ${margin.toFixed(4)} nats per token below the bigram`)
  if (first!.domains !== undefined) {
    lines.push('held-out part of the domains, whose text was never trained on:')
    lines.push(lossTable(models, ({ domains }) => domains!.map((loss) => [loss.domain, loss])))
  }
  if (first!.addedTexts !== undefined) {
    lines.push('held-out part of the added texts:')
    lines.push(lossTable(models, ({ addedTexts }) => addedTexts!.map((loss) => [loss.source, loss])))
  }
  return lines.join('\n')
}

/** One row per text, two columns per model. */
function lossTable(
  models: readonly Evaluation[],
  lossesOf: (model: Evaluation) => readonly (readonly [string, Loss])[]
): string {
  const table = newTable(models)
  const columns = models.map(lossesOf)
  for (const [index, [name]] of columns[0]!.entries())
    table.push(
      row(
        name,
        columns.map((losses) => losses[index]![1])
      )
    )
  return table.toString()
}

function newTable(models: readonly Evaluation[]): Table.Table {
  const names = models.length === 1 ? [''] : models.map(({ name }) => `${name}: `)
  return new Table({
    head: ['', ...names.flatMap((name) => [`${name}nats per token`, 'bits per byte']), 'tokens'],
    style: PLAIN
  })
}

function row(name: string, losses: readonly Loss[]): string[] {
  const cells = losses.flatMap(({ nats, bitsPerByte }) => [nats.toFixed(4), bitsPerByte.toFixed(4)])
  return [name, ...cells, String(losses[0]!.tokens)]
}
