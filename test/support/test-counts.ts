import { relative } from 'node:path'

/** The counts of a test run. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Milliseconds in tests and hooks, by spec file. */
  readonly milliseconds: Readonly<Record<string, number>>
}

/** Spec files whose durations are printed. */
const SLOWEST = 15

/** The sum of several runs of different spec files. */
export function sumCounts(all: readonly Counts[]): Counts {
  const total = (key: 'passed' | 'failed' | 'skipped') => all.reduce((sum, counts) => sum + counts[key], 0)
  return {
    passed: total('passed'),
    failed: total('failed'),
    skipped: total('skipped'),
    milliseconds: Object.assign({}, ...all.map(({ milliseconds }) => milliseconds))
  }
}

/** The slowest spec files, and one plain last line for other tools. */
export function renderSummary({ passed, failed, skipped, milliseconds }: Counts, root: string): string {
  const slowest = Object.entries(milliseconds)
    .sort(([, left], [, right]) => right - left)
    .slice(0, SLOWEST)
    .map(([file, each]) => `${(each / 1000).toFixed(1).padStart(7)} s  ${relative(root, file)}\n`)
  const more = skipped > 0 ? `, ${skipped} skipped` : ''
  return `\nSlowest spec files:\n${slowest.join('')}\n${passed} passed, ${failed} failed${more}\n`
}
