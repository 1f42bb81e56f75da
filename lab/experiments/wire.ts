import Table from 'cli-table3'
import { Command } from 'commander'
import { type LoraAdapter, type ShardDtype, type StackMember, sendAdapter } from '../../src/adapter/index.ts'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { sha256Hex } from '../../src/formats/index.ts'
import { expandTargetModules, loadBaseModel } from '../../src/model/index.ts'
import { loadCompression } from '../../src/node/network/transfer/index.ts'
import { loadCorpus } from './corpus.ts'
import { withModules } from './federated-run.ts'
import { createHeldOutScorer, meanLoss } from './held-out.ts'
import { createLocalTrainer } from './local-training.ts'
import { createMembers } from './members.ts'
import { createMethod, type GlobalState } from './methods.ts'
import { experimentSettings } from './settings.ts'

/**
 * Measures the size of shards on the wire and the effect of rounding on the loss, for every dtype over the same rounds.
 */

interface Variant {
  readonly name: string
  readonly dtype: ShardDtype
  readonly feedback: boolean
}

const VARIANTS: readonly Variant[] = [
  { name: 'f32', dtype: 'f32', feedback: false },
  { name: 'bf16', dtype: 'bf16', feedback: true },
  { name: 'bf16, no feedback', dtype: 'bf16', feedback: false },
  { name: 'int8', dtype: 'int8', feedback: true },
  { name: 'int8, no feedback', dtype: 'int8', feedback: false }
]
const SEED = 1
const MEMBERS = 4
const RANKS = [16, 8, 4, 2]

const program = new Command('npm run lab -- wire')
  .description('the bytes of shards in every dtype, and the held-out loss after the same rounds')
  .option('--rounds <n>', 'rounds', Number, 5)
  .option('--json', 'print one JSON object on the last line, everything else on stderr', false)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()
const { rounds, json } = program.opts<{ rounds: number; json: boolean }>()
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error('--rounds must be a positive integer')
  process.exit(2)
}
const say = json ? console.error : console.log

const base = loadBaseModel(baseModelFolder(undefined))
const settings = { ...experimentSettings(base, false), members: MEMBERS, heterogeneousRanks: RANKS }
const domains = await loadCorpus(base, settings)
const scorer = await createHeldOutScorer(base, domains, settings)
const trainer = createLocalTrainer(base, settings)
const modules = expandTargetModules(base.config, settings.targetModules)

interface Row {
  readonly name: string
  /** Mean bytes that a member sends in a round, plain and between peers that compress with zstd. */
  readonly bytes: number
  readonly packed: number
  readonly loss: number
}

/** One federation whose members send their updates in one dtype. */
async function run({ name, dtype, feedback }: Variant): Promise<Row> {
  const method = createMethod({ base, settings, rule: 'flora', start: 'fresh', seed: SEED })
  const members = createMembers(base, domains, 'domain', SEED, settings)
  let state: GlobalState = {
    modules: new Map(modules.map((module) => [module, base.weights.get(`${module}.weight`)!])),
    last: undefined,
    previous: new Map()
  }
  const residual = new Map<number, LoraAdapter>()
  const sizes = { bytes: 0, packed: 0 }
  let model = state.modules
  for (let round = 1; round <= rounds; round++) {
    const received: StackMember[] = []
    for (const { index, author, samples, batches } of members) {
      const start = method.startOf(state, index, RANKS[index]!, round)
      const session = trainer.begin(withModules(base.weights, state.modules), start)
      await session.advance(settings.stepsPerRound, (step) =>
        batches.nextBatch((round - 1) * settings.stepsPerRound + step)
      )
      const sent = sendAdapter(session.adapter, dtype, feedback ? residual.get(index) : undefined)
      residual.set(index, sent.residual)
      for (const { bytes } of sent.shards.flatMap(({ blocks }) => blocks)) {
        sizes.bytes += bytes.length
        sizes.packed += (compression.pack(sha256Hex(bytes), bytes) ?? bytes).length
      }
      received.push({ author, samples, adapter: sent.adapter })
    }
    const outcome = method.finish(state, received, received)
    state = outcome.state
    model = outcome.model
    say(`${name}: round ${round} of ${rounds}`)
  }
  const loss = meanLoss(await scorer.score(withModules(base.weights, model)))
  const sendings = rounds * MEMBERS
  return { name, bytes: sizes.bytes / sendings, packed: sizes.packed / sendings, loss }
}

const compression = await loadCompression()
const before = meanLoss(await scorer.score(base.weights))
const rows: Row[] = []
for (const variant of VARIANTS) rows.push(await run(variant))
await scorer.dispose()
await trainer.dispose()

const whole = rows[0]!
const table = new Table({
  head: ['dtype', 'KiB per member and round', '÷ f32', 'zstd ÷ uncompressed', 'held-out nats', 'against f32'],
  style: { head: [], border: [], compact: true }
})
for (const { name, bytes, packed, loss } of rows)
  table.push([
    name,
    (bytes / 1024).toFixed(1),
    (bytes / whole.bytes).toFixed(3),
    (packed / bytes).toFixed(3),
    loss.toFixed(6),
    (loss - whole.loss).toExponential(1)
  ])
say(table.toString())
say(
  `base ${before.toFixed(4)} nats per token; ${MEMBERS} members, ranks ${RANKS}, ${rounds} rounds of ${settings.stepsPerRound} steps`
)
if (json) console.log(JSON.stringify({ rounds, before, rows }))
