import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Command } from 'commander'
import type { LoraAdapter } from '../../src/adapter/index.ts'
import { encodeText } from '../../src/data/index.ts'
import {
  createEvaluator,
  createSeededRandom,
  type LlamaConfig,
  linearModules,
  loadBaseModel
} from '../../src/model/index.ts'
import { importAdapter } from '../../src/node/export/import-adapter.ts'
import { readPeftFolder, writePeftFolder } from '../../src/node/export/peft-files.ts'
import { packageRoot } from '../../src/package-root.ts'
import {
  addJudgedFlags,
  exampleOf,
  type JudgedFlags,
  type JudgedFolder,
  judgedFolders,
  largestDifference,
  SCORED,
  sameIds,
  sameTexts,
  saveSmallModel,
  TOLERANCE
} from '../tokenizers/judged-folders.ts'
import { judgedTexts } from '../tokenizers/judged-texts.ts'

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024
const RANK = 4

interface Options extends JudgedFlags {
  readonly python: string
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

const command = new Command('npm run check -- folders')
  .description(
    "Writes random models with real tokenizers and an adapter for each, as a PEFT folder and merged; compares ids with the library tokenizers, which reads tokenizer.json as it is, and log-probabilities with transformers and Hugging Face's PEFT. transformers' own ids are shown beside: it builds some tokenizers from parts of its own."
  )
  .option('--python <program>', 'a Python with torch, transformers and peft', 'python3')
const options = addJudgedFlags(command)
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

async function judge(options: Options): Promise<void> {
  const judged = await judgedTexts(Number(options.texts))
  const verdicts: Verdict[] = []
  for (const folder of judgedFolders(options))
    for (const verdict of await judgeOne(folder, judged, options.python)) {
      verdicts.push(verdict)
      if (!options.json) console.log(line(verdict))
    }
  if (options.json) console.log(JSON.stringify({ tolerance: TOLERANCE, verdicts }))
  if (verdicts.some(({ different, largest }) => different > 0 || !(largest <= TOLERANCE)))
    process.exitCode = 1
}

async function judgeOne(
  { name, path }: JudgedFolder,
  texts: readonly string[],
  python: string
): Promise<Verdict[]> {
  const [base, peft, merged] = ['base', 'peft', 'merged'].map((part) => join(work, `${name}-${part}`))
  const { tokenizer, config } = saveSmallModel(base!, path)
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
    const { ids: theirIds, transformers } = judgement
    const wrong = texts.filter((_, at) => !sameIds(theirIds[at]!, own[at]!))
    const rebuilt = texts.filter((_, at) => !sameIds(theirIds[at]!, transformers[at]!))
    return {
      name,
      way: index === 0 ? 'PEFT' : 'merged',
      texts: texts.length,
      different: wrong.length,
      example: exampleOf(wrong),
      transformersDifferent: rebuilt.length,
      transformersExample: exampleOf(rebuilt),
      tokenizerClass: judgement.class,
      largest: largestDifference(scores[index]!.perToken, judgement.scores)
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

function line(verdict: Verdict): string {
  const { name, way, texts, different, example, transformersDifferent, transformersExample, largest } =
    verdict
  const loaded =
    transformersDifferent === 0
      ? 'the same'
      : `${sameTexts(texts, transformersDifferent, transformersExample)}, since it builds tokenizers of this class from parts of its own`
  return `${name.padEnd(26)} ${way.padEnd(7)} tokenizer.json: ${sameTexts(texts, different, example)}; transformers, ${verdict.tokenizerClass}: ${loaded}; log-probabilities within ${largest.toExponential(1)}`
}
