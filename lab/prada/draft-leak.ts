import { join } from 'node:path'
import Table from 'cli-table3'
import { Command, InvalidArgumentError } from 'commander'
import type { TensorMap } from '../../src/formats/index.ts'
import type { BaseModel } from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'
import { createDecoderModel, type TokenModel } from '../../src/prada/index.ts'
import { type AttackScores, attackStrength } from '../leak/attack.ts'
import { type LeakCase, LeakLaboratory } from '../leak/leak-runs.ts'
import { ALONE, agreement, type Combine, steered } from './continuations.ts'
import { loadPair, type Pair } from './pair.ts'

interface Options {
  readonly proxy: string
  readonly remote: string
  readonly seeds: number
  readonly quick: boolean
  readonly json: boolean
}

/** What the remote sees, and what it would see without the adapter. */
interface Sight {
  readonly name: string
  readonly models: readonly TokenModel[]
  readonly combine: Combine
  /** The models without the adapter. */
  readonly plain: readonly TokenModel[]
}

const MODELS = join(packageRoot(), 'models')
/**
 * A client that continues its own documents. It queries the remote every `stride` tokens, with a trip of `length`
 * drafts.
 */
const PLACES = { stride: 24, length: 8 }
/** Number of tokens of a document that are processed. */
const TOKENS = 160

const options = new Command('npm run lab -- draft-leak')
  .description(
    'Measures what an honest-but-curious remote learns about the text that the adapter was trained on, by membership inference on the drafts that it receives and on the accepted text.'
  )
  .option('--proxy <folder>', 'the small model', join(MODELS, 'loam-base-1m'))
  .option('--remote <folder>', 'the large model', join(MODELS, 'loam-base-8m'))
  .option('--seeds <n>', 'runs of each kind', count, 4)
  .option('--quick', 'one tiny run, as a smoke test', false)
  .option('--json', 'print one JSON object on the last line, everything else on stderr', false)
  .addHelpText(
    'after',
    `
The client continues documents with the adapted proxy as drafter, greedily. The remote knows the base proxy and the
documents being continued, and measures how much better the drafts predict each document than the base's drafts would.
With --draft base and --draft remote it sees only the accepted text.

Examples:
  $ npm run lab -- draft-leak --quick
  $ npm run lab -- draft-leak --json`
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()
  .opts<Options>()

const pair = loadPair(options.proxy, options.remote)
const cases: readonly LeakCase[] = options.quick
  ? [{ view: 'shard', rank: 2, steps: 2, documents: 8 }]
  : [
      { view: 'shard', rank: 8, steps: 40, documents: 64 },
      { view: 'shard', rank: 8, steps: 40, documents: 16 },
      { view: 'stack', rank: 8, steps: 40, documents: 64 }
    ]
const laboratory = new LeakLaboratory(pair.proxy)
const rows = []
for (const leakCase of cases) {
  const seen = new Map<string, AttackScores[]>()
  for (let seed = 0; seed < (options.quick ? 1 : options.seeds); seed++) {
    const { trainedOn, others, weights, domain } = await laboratory.prepare(leakCase, seed)
    const sights = openSights(pair, weights)
    for (const sight of sights.all) {
      const members = await scores(sight, trainedOn)
      const rest = await scores(sight, others.slice(0, Math.max(30, trainedOn.length)))
      seen.set(sight.name, [...(seen.get(sight.name) ?? []), { members, others: rest }])
      process.stderr.write(
        `${leakCase.view}, ${leakCase.documents} documents, seed ${seed}, ${domain}: ${sight.name}\n`
      )
    }
    await sights.dispose()
  }
  for (const [sight, runs] of seen)
    rows.push({ ...leakCase, sight, runs: runs.length, ...attackStrength(runs, 1) })
}
await laboratory.dispose()
const table = new Table({
  head: ['adapter', 'documents', 'steps', 'visible to the remote', 'AUC (95 %)', 'TPR at 1 % FPR'],
  style: { head: [], border: [] }
})
for (const { view, documents, steps, sight, auc, truePositives } of rows)
  table.push([
    view,
    documents,
    steps,
    sight,
    `${auc.value.toFixed(2)} (${auc.low.toFixed(2)} to ${auc.high.toFixed(2)})`,
    `${(100 * truePositives.value).toFixed(0)} %`
  ])
if (options.json) {
  process.stderr.write(`${table}\n`)
  console.log(JSON.stringify({ rows }))
} else console.log(String(table))

function openSights({ proxy, remote, vocabulary }: Pair, adapted: TensorMap) {
  const decoder = ({ config }: BaseModel, weights: TensorMap): TokenModel =>
    createDecoderModel({ config, weights, context: TOKENS + PLACES.length })
  const models = {
    base: decoder(proxy, proxy.weights),
    adapted: decoder(proxy, adapted),
    remote: decoder(remote, remote.weights)
  }
  const all: readonly Sight[] = [
    { name: 'drafts', models: [models.adapted], combine: ALONE, plain: [models.base] },
    {
      name: 'accepted text',
      models: [models.remote, models.base, models.adapted],
      combine: steered(vocabulary.tokens.length),
      plain: [models.remote]
    }
  ]
  return {
    all,
    async dispose() {
      for (const model of Object.values(models)) await model.dispose()
    }
  }
}

/** How much better each document is predicted with the adapter than without it. */
async function scores(
  { models, combine, plain }: Sight,
  documents: readonly (readonly number[])[]
): Promise<number[]> {
  const gains: number[] = []
  for (const document of documents) {
    const text = document.slice(0, TOKENS)
    const [after, before] = [
      await agreement(models, combine, text, PLACES),
      await agreement(plain, ALONE, text, PLACES)
    ]
    if (after !== undefined && before !== undefined) gains.push(after - before)
  }
  return gains
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}
