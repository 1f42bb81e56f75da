import type { LocalTrainingResult, TrainingData } from '../../../model/index.ts'

/** The result of a run, as printed by `--json`. */
export interface TrainingReport {
  readonly out: string
  readonly adapterDigest: string
  readonly steps: number
  readonly stoppedEarly: boolean
  readonly bestStep?: number
  readonly examples: number
  readonly heldOutExamples: number
  /** Invalid records that were skipped (`--skip-bad`). */
  readonly badRecords: number
  /** Notes on data that is not trained on, or not as its author may expect. */
  readonly notes: readonly string[]
  /** Number of learned targets. */
  readonly tokens: number
  readonly loss: { readonly first: number; readonly last: number }
  readonly heldOutLoss: { readonly before: number; readonly after: number } | null
  readonly tokensPerSecond: number
  readonly seconds: number
}

/** @param tokensDone tokens in all rows that this process trained on in `seconds` */
export function trainingReport(
  result: LocalTrainingResult,
  data: TrainingData,
  files: Pick<TrainingReport, 'out' | 'adapterDigest'>,
  { tokensDone, seconds }: { readonly tokensDone: number; readonly seconds: number }
): TrainingReport {
  return {
    ...files,
    steps: result.steps,
    stoppedEarly: result.stoppedEarly,
    ...(result.bestStep !== undefined && { bestStep: result.bestStep }),
    examples: data.examples,
    heldOutExamples: data.heldOutExamples,
    badRecords: data.badRecords,
    notes: data.notes,
    tokens: result.tokens,
    loss: result.loss,
    heldOutLoss: result.heldOutLoss ?? null,
    tokensPerSecond: round(tokensDone / seconds, 1),
    seconds: round(seconds, 3)
  }
}

/** A report as text. */
export function trainingReportText(report: TrainingReport): string {
  const { loss, heldOutLoss } = report
  const early = report.stoppedEarly ? ', stopped early' : ''
  const best = report.bestStep === undefined ? '' : `, best at step ${report.bestStep}`
  return [
    `adapter         ${report.out}`,
    `digest          ${report.adapterDigest}`,
    `steps           ${report.steps}${early}${best}`,
    `training loss   ${loss.first.toFixed(4)} at first, ${loss.last.toFixed(4)} at last`,
    ...(heldOutLoss
      ? [`held-out loss   ${heldOutLoss.before.toFixed(4)} before, ${heldOutLoss.after.toFixed(4)} after`]
      : []),
    `tokens/s        ${report.tokensPerSecond}`
  ].join('\n')
}

/** `value` rounded to `digits` decimal places. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
