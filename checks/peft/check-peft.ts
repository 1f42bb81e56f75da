import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Command } from 'commander'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { createEvaluator, loadBaseModel } from '../../src/model/index.ts'
import { readPeftFolder } from '../../src/node/export/peft-files.ts'
import { commandFile, packageRoot } from '../../src/package-root.ts'

/** Largest difference of a token's log-probability, nats, at which PEFT and Loam count as the same. */
const TOLERANCE = 1e-4
const MEBIBYTE = 1024 * 1024
const TEXT =
  'Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse, and nothing ' +
  'particular to interest me on shore, I thought I would sail about a little and see the watery part of the world.'

interface Options {
  readonly adapter: string
  readonly python: string
  readonly json: boolean
}

const options = new Command('npm run check -- peft')
  .description(
    "Compares per-token log-probabilities of an adapter in Hugging Face's PEFT with Loam's, and runs the README's example."
  )
  .requiredOption('--adapter <folder>', 'PEFT folder on the shipped model, as loam testnet writes it')
  .option('--python <program>', 'a Python with torch, transformers and peft', 'python3')
  .option('--json', 'print one JSON object', false)
  .parse()
  .opts<Options>()

const run = promisify(execFile)
const work = await mkdtemp(join(tmpdir(), 'loam-peft-'))
try {
  const difference = await largestDifference(work)
  const example = await runExample(work)
  const report = { tolerance: TOLERANCE, difference, example }
  if (options.json) console.log(JSON.stringify(report))
  else
    console.log(
      `log-probabilities differ by at most ${difference.toExponential(1)} nats (${TOLERANCE} allowed); ` +
        `the README's example continues its prompt ${example ? 'as Loam does' : 'differently from Loam'}`
    )
  process.exitCode = difference <= TOLERANCE && example ? 0 : 1
} finally {
  await rm(work, { recursive: true, force: true })
}

async function largestDifference(folder: string): Promise<number> {
  const modelFolder = baseModelFolder()
  const { config, weights, tokenizer } = loadBaseModel(modelFolder)
  const ids = tokenizer.encode(TEXT)
  const evaluator = await createEvaluator({ config, context: ids.length })
  const adapter = await readPeftFolder(options.adapter)
  const { perToken } = await evaluator.score({ weights, ids, adapter })
  await evaluator.dispose()
  const file = join(folder, 'ids.json')
  await writeFile(file, JSON.stringify([...ids]))
  const script = join(packageRoot(), 'checks', 'peft', 'peft_scores.py')
  const { stdout } = await run(options.python, [script, modelFolder, resolve(options.adapter), file], {
    maxBuffer: MEBIBYTE
  })
  const scores = JSON.parse(stdout) as number[]
  const own = perToken.slice(1).map(({ logProb }) => logProb!)
  if (scores.length !== own.length) throw new Error(`${scores.length} scores against ${own.length}`)
  return Math.max(...own.map((score, index) => Math.abs(score - scores[index]!)))
}

/** Runs the README's Python example verbatim. @returns whether its greedy text is Loam's */
async function runExample(folder: string): Promise<boolean> {
  const readme = await readFile(join(packageRoot(), 'README.md'), 'utf8')
  const code = /```python\n(.*?)```/s.exec(readme)?.[1]
  const prompt = /tokenizer\("([^"]*)"/.exec(code ?? '')?.[1]
  const tokens = /max_new_tokens=(\d+)/.exec(code ?? '')?.[1]
  if (code === undefined || prompt === undefined || tokens === undefined)
    throw new Error('README.md has no Python example with a prompt and max_new_tokens')
  await symlink(join(packageRoot(), 'models'), join(folder, 'models'))
  await symlink(resolve(options.adapter), join(folder, 'adapter'))
  await writeFile(join(folder, 'example.py'), code)
  const shown = await run(options.python, ['example.py'], { cwd: folder, maxBuffer: MEBIBYTE })
  const flags = ['--prompt', prompt, '--max-tokens', tokens, '--temperature', '0', '--json']
  const own = await run(process.execPath, [
    commandFile(),
    'generate',
    '--adapter',
    resolve(options.adapter),
    ...flags
  ])
  const { text } = JSON.parse(own.stdout) as { text: string }
  return shown.stdout.trimEnd().endsWith((prompt + text).trimEnd())
}
