import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { SeedResult } from './run-seed.ts'

/** What came of seeds before, one JSON object a line; a last line that was being written when its run stopped is left out. */
export function readResults(file: string): SeedResult[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const bySeed = new Map(
    lines.map((line) => JSON.parse(line) as SeedResult).map((result) => [result.seed, result])
  )
  return [...bySeed.values()]
}

export function appendResult(file: string, result: SeedResult): void {
  appendFileSync(file, `${JSON.stringify(result)}\n`)
}
