import { join } from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { type CommunicationRow, measureCommunication } from '../../lab/prada/communication.ts'
import { fineTuningCost } from '../../lab/prada/fine-tuning-cost.ts'
import { packageRoot } from '../../src/package-root.ts'
import { parseBench, positiveInteger } from '../support/options.ts'
import { draftLengths } from './draft-lengths.ts'
import { randomPair } from './random-pair.ts'

interface BenchOptions {
  readonly part: readonly Part[]
  readonly proxy: string
  readonly remote: string
  readonly roundTrip: readonly number[]
  readonly texts: number
  readonly tokens: number
  readonly json: boolean
}

const PARTS = ['draft-length', 'libp2p', 'vocabulary', 'cost'] as const
type Part = (typeof PARTS)[number]

const MODELS = join(packageRoot(), 'models')
const VOCABULARIES = [1_536, 32_000]
const RANK = 16
/** Texts of the random models, and tokens of each: their positions are all alike, so that few tell as much as many. */
const RANDOM_TEXTS = 2
const RANDOM_TOKENS = 32

const options = parseBench<BenchOptions>(
  new Command('npm run bench -- prada')
    .description(
      'Measures the cost of the offset: draft lengths on different lines, bytes by vocabulary, and fine-tuning.'
    )
    .option('--part <names...>', `of ${PARTS.join(', ')}`, PARTS as unknown as string[])
    .option('--proxy <folder>', 'the small model', join(MODELS, 'loam-base-1m'))
    .option('--remote <folder>', 'the large model', join(MODELS, 'loam-base-8m'))
    .option(
      '--round-trip <ms,ms>',
      'lines to try, by round-trip time in ms; 0 is loopback',
      (text) => text.split(',').map(Number),
      [0, 20, 50, 200]
    )
    .option('--texts <n>', 'number of texts to time', positiveInteger, 4)
    .option('--tokens <n>', 'tokens per text', positiveInteger, 64),
  ['npm run bench -- prada', 'npm run bench -- prada --part cost --json']
)

const result: Record<string, unknown> = {}
for (const part of options.part) {
  if (!PARTS.includes(part)) throw new Error(`unknown part ${part}: choose from ${PARTS.join(', ')}`)
  const { text, data } = await runPart(part)
  result[part] = data
  if (options.json) process.stderr.write(`${text}\n`)
  else console.log(text)
}
if (options.json) console.log(JSON.stringify(result))

function runPart(part: Part): Promise<{ text: string; data: object }> {
  switch (part) {
    case 'draft-length':
      return draftLengths(options, 'http')
    case 'libp2p':
      return draftLengths(options, 'libp2p')
    case 'vocabulary':
      return vocabularies()
    case 'cost':
      return cost()
  }
}

/** Bytes per token of random models with small and large vocabularies, using the code that serves trained ones. */
async function vocabularies(): Promise<{ text: string; data: object }> {
  const rows = []
  for (const size of VOCABULARIES) {
    const components = await randomPair(size, 1)
    const prompts = Array.from({ length: RANDOM_TEXTS }, (_, index) => [index + 1, index + 2, index + 3])
    const progress = ({ drafter, sampling, bytesPerToken }: CommunicationRow): void =>
      void process.stderr.write(
        `${size} ids, drafts by ${drafter}, ${sampling}: ${bytesPerToken.toFixed(0)} bytes a token\n`
      )
    for (const row of await measureCommunication(components, prompts, RANDOM_TOKENS, 1, progress))
      rows.push({ vocabulary: size, ...row, share: row.bytesPerToken / (4 * size) })
  }
  const table = new Table({
    head: ['vocabulary', 'drafter', 'sampling', 'bytes', 'of a row', 'per trip'],
    style: { head: [], border: [] }
  })
  for (const { vocabulary, drafter, sampling, bytesPerToken, share, tokensPerTrip } of rows)
    table.push([
      vocabulary,
      drafter,
      sampling,
      bytesPerToken.toFixed(0),
      `${(100 * share).toFixed(2)} %`,
      tokensPerTrip.toFixed(2)
    ])
  return { text: `bytes a token, random models\n${table}`, data: rows }
}

/** The cost of fine-tuning the proxy and the remote, and the device's computation per token. */
async function cost(): Promise<{ text: string; data: object }> {
  const proxy = await fineTuningCost(options.proxy, RANK)
  const remote = await fineTuningCost(options.remote, RANK)
  const table = new Table({
    head: ['LoRA step', 'MFLOP a token', 'peak MB', 'ms a step'],
    style: { head: [], border: [] }
  })
  for (const [name, row] of Object.entries({ proxy, remote }))
    table.push([name, (row.flopsPerToken / 1e6).toFixed(1), row.peakMB.toFixed(0), row.msPerStep.toFixed(0)])
  const saved = (a: number, b: number): string => `${(100 * (1 - a / b)).toFixed(0)} %`
  return {
    text: `fine-tuning, rank ${RANK}, all linear modules, 4 × 128 tokens\n${table}\nsaved by the proxy: ${saved(proxy.flopsPerToken, remote.flopsPerToken)} of the operations, ${saved(proxy.peakMB, remote.peakMB)} of the memory, ${saved(proxy.msPerStep, remote.msPerStep)} of the time`,
    data: { proxy, remote }
  }
}
