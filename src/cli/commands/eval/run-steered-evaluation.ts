import { encodeText, type MultipleChoice } from '../../../data/index.ts'
import { choiceRow, judgedChoices } from '../../../model/evaluate/choice-scorer.ts'
import type { TextScore, TokenScore } from '../../../model/index.ts'
import { type CombinedScorer, createCombinedScorer, DEFAULT_PRADA_SETTINGS } from '../../../prada/index.ts'
import { untilInterrupted } from '../../options/control-command.ts'
import {
  componentsOf,
  disposeModels,
  type OpenProxy,
  openProxyOf,
  openRemoteOf,
  requireOneThread
} from '../../options/open-prada.ts'
import { printProgress } from '../../terminal/output.ts'
import { choiceReport } from './choice-report.ts'
import type { EvalOptions } from './eval.ts'
import {
  printChoiceReport,
  printTextScore,
  readQuestions,
  readText,
  requireOneTask
} from './run-evaluation.ts'

/** Longest window by default, as without a remote. */
const DEFAULT_CONTEXT_MAX = 256
/** Choices between two progress lines. */
const CHOICES_A_LINE = 100

/** Scores a text or questions under the combined distribution of a proxy and a remote. */
export async function runSteeredEvaluation(options: EvalOptions): Promise<void> {
  requireOneTask(options)
  requireOneThread(options)
  const { alpha = DEFAULT_PRADA_SETTINGS.alpha } = options
  const text = options.text === undefined ? undefined : await readText(options.text)
  const questions = options.choices === undefined ? [] : await readQuestions(options.choices)
  const signal = untilInterrupted()
  // Here the context is the length of the windows, not of the models' context.
  const { context, ...proxyFlags } = options
  const proxy = await openProxyOf(proxyFlags)
  try {
    const { remote, dispose } = await openRemoteOf(options, proxy.files)
    try {
      const scorer = createCombinedScorer(componentsOf(proxy, remote), {
        ...DEFAULT_PRADA_SETTINGS,
        alpha
      })
      if (text !== undefined) printTextScore(await scoreText(scorer, proxy, text, context, signal), options)
      else printChoiceReport(await scoreChoices(scorer, proxy, questions, signal), options)
    } finally {
      dispose()
    }
  } finally {
    await disposeModels(proxy.models)
  }
}

/** Scores windows that do not overlap; the first token of a window is not scored. */
async function scoreText(
  scorer: CombinedScorer,
  { files }: OpenProxy,
  text: string,
  context = Math.min(scorer.context, DEFAULT_CONTEXT_MAX),
  signal: AbortSignal
): Promise<TextScore> {
  if (context > scorer.context)
    throw new Error(
      `a context of ${context} tokens is longer than the ${scorer.context} that both models accept`
    )
  const ids = encodeText(files.tokenizer, text)
  if (ids.length < 2) throw new Error('the text has no token to score')
  const perToken: TokenScore[] = []
  let sum = 0
  let windows = 0
  for (let start = 0; start < ids.length; start += context) {
    const window = ids.slice(start, start + context)
    const scores = await scorer.score(window, signal)
    windows++
    for (const [index, id] of window.entries()) {
      const logProb = index === 0 ? null : scores[index - 1]!
      perToken.push({ id, logProb })
      sum -= logProb ?? 0
    }
    printProgress(`${Math.min(start + context, ids.length)} of ${ids.length} tokens`)
  }
  const tokens = ids.length - windows
  return { nats: sum / tokens, tokens, perToken, bytes: Buffer.byteLength(text) }
}

async function scoreChoices(
  scorer: CombinedScorer,
  { files }: OpenProxy,
  questions: readonly MultipleChoice[],
  signal: AbortSignal
): Promise<ReturnType<typeof choiceReport>> {
  const judged = []
  let done = 0
  for (const question of questions) {
    const { choices } = question
    const sums: number[] = []
    for (const choice of choices) {
      const { ids, scored } = choiceRow(files.tokenizer, scorer.context, question, choice)
      const scores = await scorer.score(ids, signal)
      sums.push(scores.slice(-scored).reduce((sum, value) => sum + value, 0))
      if (++done % CHOICES_A_LINE === 0) printProgress(`${done} choices scored`)
    }
    judged.push(judgedChoices(choices, sums))
  }
  return choiceReport(questions, judged)
}
