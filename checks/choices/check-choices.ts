import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Command } from 'commander'
import { choiceReport } from '../../src/cli/commands/eval/choice-report.ts'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { readMultipleChoice } from '../../src/data/index.ts'
import { createChoiceScorer, createOnnxRuntimeExecutor, loadBaseModel } from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'
import { choiceFormats } from './choice-formats.ts'

interface Options {
  readonly python: string
  readonly model: readonly string[]
  readonly questions: string
  readonly json: boolean
}

interface Accuracies {
  readonly acc: number
  readonly acc_norm: number
}

const options = new Command('npm run check -- choices')
  .description(
    'Compares acc and acc_norm of multiple-choice questions in several task formats with lm-evaluation-harness.'
  )
  .requiredOption('--python <program>', 'Python interpreter with lm-eval, transformers and torch')
  .option('--model <folder...>', 'model folders (default: the model that Loam ships)', [baseModelFolder()])
  .option('--questions <n>', 'number of questions per format', '60')
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    `
Example:
  $ python3 -m venv /opt/harness && /opt/harness/bin/pip install 'lm-eval[hf]'
  $ npm run check -- choices --python /opt/harness/bin/python`
  )
  .parse()
  .opts<Options>()
await check(options)

async function check({ python, model, questions, json }: Options): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'loam-choices-'))
  try {
    const formats = await choiceFormats(Number(questions))
    const files = await Promise.all(
      formats.map(async ({ name, lines }) => {
        const path = join(work, `${name}.jsonl`)
        await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
        return path
      })
    )
    const results = []
    for (const folder of model.map((path) => resolve(path))) {
      const theirs = await harnessScores(python, folder, files)
      const ours = await ownScores(folder, files)
      for (const [index, { name }] of formats.entries())
        results.push({ model: folder, format: name, loam: ours[index]!, harness: theirs[index]! })
    }
    const same = ({ loam, harness }: { loam: Accuracies; harness: Accuracies }): boolean =>
      Math.abs(loam.acc - harness.acc) < 1e-9 && Math.abs(loam.acc_norm - harness.acc_norm) < 1e-9
    if (json) console.log(JSON.stringify({ results, agrees: results.every(same) }))
    else for (const result of results) console.log(line(result, same(result)))
    if (!results.every(same)) process.exitCode = 1
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function ownScores(folder: string, files: readonly string[]): Promise<Accuracies[]> {
  const { config, tokenizer, weights } = loadBaseModel(folder)
  const scorer = createChoiceScorer({ config, tokenizer, executor: createOnnxRuntimeExecutor() })
  const scores: Accuracies[] = []
  for (const file of files) {
    const questions = await readMultipleChoice(file)
    const { acc, acc_norm } = choiceReport(questions, await scorer.score(questions, weights))
    scores.push({ acc, acc_norm })
  }
  await scorer.dispose()
  return scores
}

async function harnessScores(python: string, model: string, files: readonly string[]): Promise<Accuracies[]> {
  const script = join(packageRoot(), 'checks', 'choices', 'lm_eval_choices.py')
  const { stdout } = await promisify(execFile)(python, [script, model, ...files], {
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, HF_HUB_OFFLINE: '1', HF_DATASETS_OFFLINE: '1', TOKENIZERS_PARALLELISM: 'false' }
  })
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Accuracies[]
}

function line(
  { model, format, loam, harness }: { model: string; format: string; loam: Accuracies; harness: Accuracies },
  agrees: boolean
): string {
  const both = (key: keyof Accuracies): string =>
    `${key} ${loam[key].toFixed(4)} and ${harness[key].toFixed(4)}`
  return `${model.split('/').at(-1)!.padEnd(20)} ${format.padEnd(16)} ${both('acc')}, ${both('acc_norm')}: ${agrees ? 'the same' : 'DIFFERENT'}`
}
