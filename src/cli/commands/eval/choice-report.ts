import type { MultipleChoice } from '../../../data/records/multiple-choice.ts'
import type { ChoiceScores } from '../../../model/evaluate/choice-scorer.ts'

/**
 * Shares of right answers, by the names of lm-evaluation-harness: `acc_norm` divides a choice's log-probability by its
 * characters, `acc_bytes` by its bytes (lm_eval/api/_metrics/ll.py).
 */
export interface ChoiceReport {
  readonly questions: number
  readonly acc: number
  /** Standard error of the mean; null for a single question. */
  readonly acc_stderr: number | null
  readonly acc_norm: number
  readonly acc_norm_stderr: number | null
  readonly acc_bytes: number
  readonly acc_bytes_stderr: number | null
}

/** Accuracy by log-probability, and by log-probability per character and per byte. */
export function choiceReport(
  questions: readonly MultipleChoice[],
  scores: readonly ChoiceScores[]
): ChoiceReport {
  const count = questions.length
  const share = (key: 'chosen' | 'chosenByCharacter' | 'chosenByByte'): number =>
    questions.filter(({ answer }, index) => scores[index]![key] === answer).length / count
  // The standard deviation of a sample of zeros and ones, divided by the square root of its size.
  const error = (mean: number): number | null =>
    count < 2 ? null : Math.sqrt((mean * (1 - mean)) / (count - 1))
  const [acc, accNorm, accBytes] = [share('chosen'), share('chosenByCharacter'), share('chosenByByte')]
  return {
    questions: count,
    acc,
    acc_stderr: error(acc),
    acc_norm: accNorm,
    acc_norm_stderr: error(accNorm),
    acc_bytes: accBytes,
    acc_bytes_stderr: error(accBytes)
  }
}
