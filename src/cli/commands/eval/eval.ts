import { readFile, stat } from 'node:fs/promises'
import { Command } from 'commander'
import { readAdapterPath } from '../../options/adapter-path.ts'
import {
  deviceOption,
  type ExecutorFlags,
  executorFromFlags,
  executorOption
} from '../../options/executor-options.ts'
import { integer } from '../../options/parsers.ts'
import { baseModelFolder, requireBaseModel } from '../../options/shipped-model.ts'
import { printResult } from '../../terminal/output.ts'
import { UsageError } from '../../terminal/usage-error.ts'
import { choiceReport } from './eval-choices.ts'

interface EvalOptions extends ExecutorFlags {
  model?: string
  adapter?: string
  text?: string
  choices?: string
  context?: number
  threads: number
  perToken?: boolean
  json?: boolean
}

/** `loam eval`: how well a model foresees a text. */
export function evalCommand(): Command {
  return new Command('eval')
    .description('score a text or multiple-choice questions under a model, with or without an adapter')
    .option('--model <folder>', 'base model folder (default: the model that Loam ships)')
    .option('--adapter <path>', 'PEFT adapter folder, or a safetensors file of Loam')
    .option('--text <file>', 'UTF-8 text: mean nats per token')
    .option('--choices <file>', 'JSONL of questions with choices: shares of right answers')
    .option(
      '--context <n>',
      "tokens a window (default: the model's maximum, at most 256)",
      integer('--context', 2, 131_072)
    )
    .option('--threads <n>', 'threads', integer('--threads', 1, 256), 1)
    .addOption(executorOption())
    .addOption(deviceOption())
    .option('--per-token', 'list every token with its log-probability')
    .option(
      '--json',
      'print one JSON object: { "nats", "tokens", "bytes", "perToken" }, or { "acc", "acc_norm", … }'
    )
    .addHelpText(
      'after',
      `
The text begins with the tokenizer's BOS, where it has one, and is cut into windows that do not overlap. The first token
of a window is not scored: its log-probability is null.

Questions are scored as lm-evaluation-harness does: each choice by the sum of its tokens' log-probabilities behind the
context (acc), and by that divided by its length in characters (acc_norm) or in bytes (acc_bytes). A line of the file:
  { "question": "What barks?", "choices": ["a cat", "a dog"], "answer": 1 }
The answer may be a letter; "context" in place of "question" is taken as it is.

Examples:
  $ loam eval --text heldout.txt
  $ loam eval --adapter out/adapter --text out/peer-0/heldout.txt --json
  $ loam eval --adapter my-adapter --choices questions.jsonl`
    )
    .action(evaluate)
}

async function evaluate(options: EvalOptions): Promise<void> {
  if ((options.text === undefined) === (options.choices === undefined))
    throw new UsageError('give --text FILE or --choices FILE, one of them')
  if (options.choices !== undefined) return evaluateChoices(options, options.choices)
  const { createTextScorer } = await import('../../../model/index.ts')
  const text = await readText(options.text!)
  const adapter = options.adapter === undefined ? undefined : await readAdapterPath(options.adapter)
  const folder = baseModelFolder(options.model)
  requireBaseModel(folder)
  const { context, threads } = options
  const executor = await executorFromFlags(options)
  const scorer = await createTextScorer(folder, {
    threads,
    executor,
    ...(context !== undefined && { context })
  })
  const score = await scorer.score(text, adapter).finally(() => scorer.dispose())
  const result = {
    nats: score.nats,
    tokens: score.tokens,
    bytes: score.bytes,
    ...(options.perToken === true ? { perToken: score.perToken } : {})
  }
  printResult(result, options, () => {
    const bitsPerByte = (score.nats * score.tokens) / score.bytes / Math.LN2
    const lines = [
      `nats per token  ${score.nats.toFixed(4)}`,
      `tokens scored   ${score.tokens}`,
      `bytes           ${score.bytes} (${bitsPerByte.toFixed(4)} bits per byte)`
    ]
    if (options.perToken === true)
      for (const { id, logProb } of score.perToken)
        lines.push(`${String(id).padStart(8)}  ${logProb?.toFixed(6) ?? '-'}`)
    return lines.join('\n')
  })
}

async function evaluateChoices(options: EvalOptions, file: string): Promise<void> {
  if (options.context !== undefined || options.perToken === true)
    throw new UsageError('--context and --per-token belong to --text')
  const { createChoiceScorer, loadBaseModel } = await import('../../../model/index.ts')
  const { readMultipleChoice } = await import('../../../data/index.ts')
  await requireFile(file)
  const questions = await readMultipleChoice(file)
  const adapter = options.adapter === undefined ? undefined : await readAdapterPath(options.adapter)
  const folder = baseModelFolder(options.model)
  requireBaseModel(folder)
  const { config, tokenizer, weights } = loadBaseModel(folder)
  const scorer = createChoiceScorer({ config, tokenizer, executor: await executorFromFlags(options) })
  const scores = await scorer.score(questions, weights, { adapter }).finally(() => scorer.dispose())
  const report = choiceReport(questions, scores)
  printResult(report, options, () => {
    const line = (share: number, error: number | null): string =>
      `${share.toFixed(4)}${error === null ? '' : ` ± ${error.toFixed(4)}`}`
    return [
      `questions  ${report.questions}`,
      `acc        ${line(report.acc, report.acc_stderr)}`,
      `acc_norm   ${line(report.acc_norm, report.acc_norm_stderr)}`,
      `acc_bytes  ${line(report.acc_bytes, report.acc_bytes_stderr)}`
    ].join('\n')
  })
}

async function requireFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new Error(`there is no file ${path}`)
  if (found.isDirectory()) throw new Error(`${path} is a folder, not a file`)
}

/** Whole files are read into memory and scored: a larger one is a mistake, or is better scored in parts. */
const TEXT_BYTES_MAX = 1024 * 1024 * 1024

/** The text of a file, every byte of it. */
async function readText(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new Error(`there is no text file ${path}`)
  if (found.isDirectory()) throw new Error(`${path} is a folder, not a text file`)
  if (found.size > TEXT_BYTES_MAX) throw new Error(`${path} has more than 1 GiB: score it in parts`)
  const bytes = await readFile(path)
  if (bytes.length === 0) throw new Error(`${path} is empty: there is nothing to score`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Error(`${path} is no UTF-8 text`)
  }
}
