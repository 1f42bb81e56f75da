import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'

/** A run's log: one JSON object per line, each with its step. */
export interface TrainingLog {
  write(entry: { readonly step: number } & Record<string, unknown>): void
}

/** Opens a log. With `resumedAt`, keeps what was logged up to that step; without it, the log starts over. */
export function openTrainingLog(path: string, resumedAt?: number): TrainingLog {
  const known = resumedAt !== undefined && existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  const kept = known.filter((line) => isUpTo(line, resumedAt!))
  writeFileSync(path, kept.map((line) => `${line}\n`).join(''))
  return { write: (entry) => appendFileSync(path, `${JSON.stringify(entry)}\n`) }
}

/** The last line of a killed run may be truncated. */
function isUpTo(line: string, step: number): boolean {
  try {
    return (JSON.parse(line) as { step: number }).step <= step
  } catch {
    return false
  }
}
