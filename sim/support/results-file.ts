import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/**
 * Results of earlier runs, one JSON object per line; the last result of each key counts, and an incomplete last line is
 * ignored.
 */
export function readResults<Result>(file: string, keyOf: (result: Result) => unknown): Result[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const byKey = new Map(
    lines.map((line) => JSON.parse(line) as Result).map((result) => [keyOf(result), result])
  )
  return [...byKey.values()]
}

export function appendResult(file: string, result: object): void {
  appendFileSync(file, `${JSON.stringify(result)}\n`)
}
