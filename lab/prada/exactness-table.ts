import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { packageRoot } from '../../src/package-root.ts'
import {
  connectLogitsServer,
  createHttpTransport,
  naiveTokens,
  type PradaComponents,
  pairProxy
} from '../../src/prada/index.ts'
import { loadCorpus } from '../experiments/corpus.ts'
import { experimentSettings } from '../experiments/settings.ts'
import { adaptTogether } from './adaptation.ts'
import { SAMPLINGS, WAYS } from './combinations.ts'
import { promptsOf } from './measure.ts'
import { loadPair, proxyOf } from './pair.ts'
import { startRemote } from './remote-process.ts'
import { markdownTable } from './results.ts'
import { runSession } from './session-run.ts'

interface Options {
  readonly prompts: number
  readonly tokens: number
  readonly ways: number
  readonly stepsPerRound: number
  readonly checkpoint?: string
  readonly json: boolean
}

/** A text generated in one configuration, compared with naive decoding. */
interface Compared {
  readonly text: number
  readonly sampling: number
  readonly way: number
  readonly tokens: number
  readonly differences: number
}

const MODELS = join(packageRoot(), 'models')
const ALPHA = 1
const RANK = 16
const ROUNDS = 3

const options = new Command('npm run lab -- prada-exactness')
  .description(
    'Compares every token of texts generated in many configurations with naive decoding (one whole row per token, without drafts).'
  )
  .option('--prompts <n>', 'texts', count, 200)
  .option('--tokens <n>', 'tokens per text', count, 64)
  .option('--ways <n>', 'number of the 48 configurations tried per text, rotating over the texts', count, 3)
  .option('--steps-per-round <n>', 'training steps per member and round', count, 40)
  .option('--checkpoint <file>', 'JSON Lines file of finished results, which are not computed again')
  .option('--json', 'print one JSON object on the last line, everything else on stderr', false)
  .addHelpText(
    'after',
    `
Each text is generated greedily, at temperature 1, and at 0.7 with top-p 0.9. A configuration is a drafter, a draft length and a top k.

Examples:
  $ npm run lab -- prada-exactness --prompts 10 --tokens 16
  $ npm run lab -- prada-exactness --checkpoint exactness.jsonl --json`
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()
  .opts<Options>()

const { checkpoint } = options
const known =
  checkpoint !== undefined && existsSync(checkpoint)
    ? readFileSync(checkpoint, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Compared)
    : []
const pair = loadPair(join(MODELS, 'loam-base-1m'), join(MODELS, 'loam-base-8m'))
const settings = {
  ...experimentSettings(pair.proxy, false),
  members: 4,
  targetModules: ['all-linear'],
  stepsPerRound: options.stepsPerRound,
  sequenceLength: 128,
  learningRate: 2e-3
}
const domains = await loadCorpus(pair.proxy, settings)
const done = new Set(known.map(({ text, sampling }) => `${text} ${sampling}`))
const wanted = Array.from({ length: options.prompts }, (_, text) => text)
const isWhole = wanted.every((text) => SAMPLINGS.every((_, sampling) => done.has(`${text} ${sampling}`)))
const rows = isWhole ? known.filter(({ text }) => text < options.prompts) : await compared()
const text = tableOf(rows)
const sum = (of: (row: Compared) => number): number => rows.reduce((total, row) => total + of(row), 0)
const result = {
  texts: options.prompts * SAMPLINGS.length,
  comparisons: rows.length,
  ways: new Set(rows.map(({ way }) => way)).size,
  tokens: sum(({ tokens }) => tokens),
  differences: sum(({ differences }) => differences)
}
if (options.json) {
  process.stderr.write(`${text}\n`)
  console.log(JSON.stringify(result))
} else console.log(text)

/** Generates the texts that are missing in the checkpoint. */
async function compared(): Promise<Compared[]> {
  const adapted = await adaptTogether(
    pair.proxy,
    domains,
    { settings, rank: RANK, rounds: ROUNDS, seed: 1 },
    (round) => process.stderr.write(`federation: ${round}\n`)
  )
  const remote = await startRemote(join(MODELS, 'loam-base-8m'))
  const transport = createHttpTransport({ url: remote.url })
  const proxy = proxyOf(pair, adapted)
  try {
    const components = pairProxy(proxy, pair.vocabulary, await connectLogitsServer(transport))
    return await compareAll(components, promptsOf(domains, options.prompts))
  } finally {
    transport.dispose()
    await remote.stop()
    await proxy.base.dispose()
    await proxy.adapted.dispose()
  }
}

async function compareAll(
  components: PradaComponents,
  prompts: readonly (readonly number[])[]
): Promise<Compared[]> {
  const rows = known.filter(({ text }) => text < prompts.length)
  for (const [text, ids] of prompts.entries())
    for (const [sampling, { temperature, topP }] of SAMPLINGS.entries()) {
      if (rows.some((row) => row.text === text && row.sampling === sampling)) continue
      const request = {
        ids,
        maxTokens: options.tokens,
        seed: text,
        temperature,
        ...(topP !== undefined && { topP })
      }
      const expected = await naiveTokens(components, { alpha: ALPHA, precision: 'float16' }, request)
      const fresh: Compared[] = []
      for (let turn = 0; turn < options.ways; turn++) {
        // 13 and 48 are coprime, so the configurations of a text differ in all three settings.
        const way = ((text * SAMPLINGS.length + sampling) * options.ways + turn * 13 + text) % WAYS.length
        const { ids: made } = await runSession(components, { ...WAYS[way]!, alpha: ALPHA }, request)
        const length = Math.max(made.length, expected.length)
        const differences = Array.from({ length }, (_, at) => at).filter((at) => made[at] !== expected[at])
        fresh.push({ text, sampling, way, tokens: length, differences: differences.length })
      }
      if (checkpoint !== undefined)
        appendFileSync(checkpoint, fresh.map((row) => `${JSON.stringify(row)}\n`).join(''))
      rows.push(...fresh)
      if (sampling === SAMPLINGS.length - 1 && (text + 1) % 10 === 0)
        process.stderr.write(
          `${text + 1} of ${prompts.length} prompts, ${rows.filter((row) => row.differences > 0).length} texts differ\n`
        )
    }
  return rows
}

/** Tokens and differences by drafter and sampling, and in total. */
function tableOf(rows: readonly Compared[]): string {
  const cells = (of: readonly Compared[]): string => {
    const tokens = of.reduce((sum, row) => sum + row.tokens, 0)
    return `${of.reduce((sum, row) => sum + row.differences, 0)} of ${tokens}`
  }
  const by = (name: string, fits: (way: (typeof WAYS)[number]) => boolean): string[] => [
    name,
    ...SAMPLINGS.map((_, sampling) =>
      cells(rows.filter((row) => row.sampling === sampling && fits(WAYS[row.way]!)))
    )
  ]
  const values = <Key extends keyof (typeof WAYS)[number]>(key: Key) => [
    ...new Set(WAYS.map((way) => way[key]))
  ]
  return markdownTable(
    ['differences', ...SAMPLINGS.map(({ name }) => name)],
    [
      ...values('drafter').map((drafter) => by(`drafts by ${drafter}`, (way) => way.drafter === drafter)),
      ...values('draftLength').map((length) => by(`${length} drafts`, (way) => way.draftLength === length)),
      ...values('topK').map((topK) => by(`top ${topK}`, (way) => way.topK === topK)),
      by('all', () => true)
    ]
  ).join('\n')
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}
