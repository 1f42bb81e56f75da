import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Command } from 'commander'
import { baseModelFolder, SHIPPED_MODEL } from '../../src/cli/options/shipped-model.ts'
import { createEvaluator, loadBaseModel } from '../../src/model/index.ts'
import {
  EXPORT_FORMATS,
  exportAdapter,
  GGUF_ADAPTER_FILE,
  GGUF_MODEL_FILE
} from '../../src/node/export/export-adapter.ts'
import { readPeftFolder } from '../../src/node/export/peft-files.ts'
import { homeAt } from '../../src/node/home/home.ts'
import { packageRoot } from '../../src/package-root.ts'
import { llamaCppScores, textIds, withGgufModel } from '../llama-cpp/score-texts.ts'

/** Largest difference of a token's log-probability, nats, at which two programs count as the same. */
const TOLERANCE = 1e-4

interface JudgeOptions {
  readonly home: string
  readonly model?: string
  readonly text?: string
  readonly tokens: string
  readonly nodeLlamaCpp?: string
  readonly python?: string
  readonly json: boolean
}

const program = new Command('npm run check -- exports')
  .description(
    "Exports a home's adapter in every form and compares per-token log-probabilities with Loam's, in llama.cpp and PyTorch."
  )
  .requiredOption('--home <folder>', "a peer's home with sealed rounds")
  .option('--model <folder>', 'base model folder (default: the model that Loam ships)')
  .option('--text <file>', "text to score (default: the home's heldout.txt)")
  .option('--tokens <n>', 'tokens of it', '200')
  .option(
    '--node-llama-cpp <folder>',
    'folder of the package node-llama-cpp, which is not a dependency of Loam'
  )
  .option('--python <program>', 'a Python with torch and numpy')
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    `
Example:
  $ npm run check -- exports --home out/peer-0 \\
      --node-llama-cpp /opt/llama/node_modules/node-llama-cpp --python /usr/bin/python3`
  )

const options = program.parse().opts<JudgeOptions>()
if (options.nodeLlamaCpp === undefined && options.python === undefined)
  program.error('error: nothing to compare with: set --node-llama-cpp, --python, or both', { exitCode: 2 })
await judge(options)

async function judge(options: JudgeOptions): Promise<void> {
  const home = homeAt(options.home)
  const baseFolder = baseModelFolder(options.model)
  const ids = await textIds(baseFolder, options.text ?? home.heldOut, Number(options.tokens))
  const work = await mkdtemp(join(tmpdir(), 'loam-judge-'))
  try {
    for (const format of EXPORT_FORMATS)
      await exportAdapter(home, { format, folder: join(work, format), baseFolder, baseName: SHIPPED_MODEL })
    const own = await ownScores(baseFolder, join(work, 'peft'), ids)
    const differences: Record<string, number> = {}
    if (options.nodeLlamaCpp !== undefined) {
      const [base, adapted, merged] = await withGgufModel(baseFolder, (model) =>
        llamaCppScores(
          options.nodeLlamaCpp!,
          [
            { name: 'base', model },
            { name: 'adapter', model, adapter: join(work, 'gguf', GGUF_ADAPTER_FILE) },
            { name: 'merged', model: join(work, 'merged-gguf', GGUF_MODEL_FILE) }
          ],
          ids
        )
      )
      differences['llama.cpp, base as GGUF'] = largestDifference(base!, own.base)
      differences['llama.cpp, base and adapter GGUF'] = largestDifference(adapted!, own.adapted)
      differences['llama.cpp, merged GGUF'] = largestDifference(merged!, own.adapted)
    }
    if (options.python !== undefined) {
      const python = (model: string, adapter?: string) => pytorchScores(options.python!, model, ids, adapter)
      differences['PyTorch, base'] = largestDifference(await python(baseFolder), own.base)
      differences['PyTorch, base and PEFT folder'] = largestDifference(
        await python(baseFolder, join(work, 'peft')),
        own.adapted
      )
      differences['PyTorch, merged folder'] = largestDifference(
        await python(join(work, 'merged')),
        own.adapted
      )
    }
    const effect = largestDifference(own.base, own.adapted)
    const report = { tokens: ids.length - 1, effect, tolerance: TOLERANCE, differences }
    if (options.json) console.log(JSON.stringify(report))
    else print(report)
    if (Object.values(differences).some((difference) => !(difference <= TOLERANCE))) process.exitCode = 1
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function ownScores(baseFolder: string, peftFolder: string, ids: readonly number[]) {
  const { config, weights } = loadBaseModel(baseFolder)
  const evaluator = await createEvaluator({ config, context: ids.length })
  const adapter = await readPeftFolder(peftFolder)
  const logs = ({ perToken }: { perToken: readonly { logProb: number | null }[] }): number[] =>
    perToken.slice(1).map(({ logProb }) => logProb!)
  const base = logs(await evaluator.score({ weights, ids }))
  const adapted = logs(await evaluator.score({ weights, ids, adapter }))
  await evaluator.dispose()
  return { base, adapted }
}

async function pytorchScores(
  python: string,
  model: string,
  ids: readonly number[],
  adapter?: string
): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'loam-judge-'))
  try {
    const file = join(folder, 'ids.json')
    await writeFile(file, JSON.stringify(ids))
    const script = join(packageRoot(), 'checks', 'exports', 'pytorch.py')
    const { stdout } = await promisify(execFile)(
      python,
      [script, model, file, ...(adapter === undefined ? [] : [adapter])],
      { maxBuffer: 64 * 1024 * 1024 }
    )
    return JSON.parse(stdout) as number[]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function largestDifference(left: readonly number[], right: readonly number[]): number {
  if (left.length !== right.length) throw new Error(`${left.length} scores against ${right.length}`)
  return left.reduce((largest, value, index) => Math.max(largest, Math.abs(value - right[index]!)), 0)
}

function print({
  tokens,
  effect,
  differences
}: {
  tokens: number
  effect: number
  differences: Readonly<Record<string, number>>
}): void {
  console.log(`${tokens} tokens; the adapter moves a log-probability by up to ${effect.toFixed(3)} nats`)
  for (const [what, difference] of Object.entries(differences))
    console.log(`${what.padEnd(36)} at most ${difference.toExponential(1)} nats from Loam`)
}
