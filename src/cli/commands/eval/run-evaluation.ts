import { readFile, stat } from 'node:fs/promises'
import { type MultipleChoice, readMultipleChoice } from '../../../data/index.ts'
import { decodeUtf8 } from '../../../formats/index.ts'
import { createChoiceScorer, createTextScorer, loadBaseModel, type TextScore } from '../../../model/index.ts'
import { readAdapterPath } from '../../options/adapter-path.ts'
import { executorFromFlags } from '../../options/executor-options.ts'
import { printResult } from '../../terminal/output.ts'
import { UsageError } from '../../terminal/usage-error.ts'
import { type ChoiceReport, choiceReport } from './choice-report.ts'
import type { EvalOptions } from './eval.ts'
import { evaluatedModel, heldOutOf } from './evaluated-model.ts'

/** Scores a text or questions and prints the result. */
export async function runEvaluation(options: EvalOptions): Promise<void> {
  const file = options.choices === undefined ? (options.text ?? heldOutOf(options)) : undefined
  requireOneTask({ ...options, ...(file !== undefined && { text: file }) })
  if (options.choices !== undefined) return evaluateChoices(options, options.choices)
  const text = await readText(file!)
  const { folder, weights } = await evaluatedModel(options)
  const adapter = options.adapter === undefined ? undefined : await readAdapterPath(options.adapter, folder)
  const { context, threads } = options
  const executor = await executorFromFlags(options)
  const scorer = await createTextScorer(folder, {
    threads,
    executor,
    ...(context !== undefined && { context }),
    ...(weights !== undefined && { weights })
  })
  const score = await scorer.score(text, adapter).finally(() => scorer.dispose())
  printTextScore(score, options)
}

/** @throws {UsageError} unless there is either a text or questions */
export function requireOneTask({ text, choices, context, perToken }: EvalOptions): void {
  if ((text === undefined) === (choices === undefined))
    throw new UsageError('give either --text FILE or --choices FILE')
  if (choices !== undefined && (context !== undefined || perToken === true))
    throw new UsageError('--context and --per-token need --text')
}

/** Prints how well a text is predicted. */
export function printTextScore(score: TextScore, options: EvalOptions): void {
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
  const questions = await readQuestions(file)
  const { folder, weights: sealed } = await evaluatedModel(options)
  const adapter = options.adapter === undefined ? undefined : await readAdapterPath(options.adapter, folder)
  const { config, tokenizer, weights: own } = loadBaseModel(folder)
  const weights = sealed === undefined ? own : new Map([...own, ...sealed])
  const scorer = createChoiceScorer({ config, tokenizer, executor: await executorFromFlags(options) })
  const scores = await scorer.score(questions, weights, { adapter }).finally(() => scorer.dispose())
  printChoiceReport(choiceReport(questions, scores), options)
}

/** Prints the shares of right answers. */
export function printChoiceReport(report: ChoiceReport, options: EvalOptions): void {
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

/** The questions of a file. */
export async function readQuestions(path: string): Promise<MultipleChoice[]> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new Error(`file not found: ${path}`)
  if (found.isDirectory()) throw new Error(`${path} is a folder, not a file`)
  return readMultipleChoice(path)
}

/** Files are read into memory as a whole: a larger one is a mistake, or better scored in parts. */
const TEXT_BYTES_MAX = 1024 * 1024 * 1024

/** The text of a file, without its byte order mark. */
export async function readText(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new Error(`text file not found: ${path}`)
  if (found.isDirectory()) throw new Error(`${path} is a folder, not a text file`)
  if (found.size > TEXT_BYTES_MAX) throw new Error(`${path} is larger than 1 GiB: score it in parts`)
  const bytes = await readFile(path)
  if (bytes.length === 0) throw new Error(`${path} is empty: there is nothing to score`)
  return decodeUtf8(bytes, path)
}
