import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'

/** A run's log: one JSON object a line, each with the step that it is about. */
export interface TrainingLog {
  write(entry: { readonly step: number } & Record<string, unknown>): void
}

/**
 * Opens a log. One that continues from step `resumedAt` keeps what was logged up to there; without it the log starts over.
 */
export function openTrainingLog(path: string, resumedAt?: number): TrainingLog {
  const known = resumedAt !== undefined && existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  const kept = known.filter((line) => isUpTo(line, resumedAt!))
  writeFileSync(path, kept.map((line) => `${line}\n`).join(''))
  return { write: (entry) => appendFileSync(path, `${JSON.stringify(entry)}\n`) }
}

/** The last line of a killed run may be cut off. */
function isUpTo(line: string, step: number): boolean {
  try {
    return (JSON.parse(line) as { step: number }).step <= step
  } catch {
    return false
  }
}
