import { relative } from 'node:path'

/** The counts of a test run. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Milliseconds in tests and hooks, by spec file. */
  readonly milliseconds: Readonly<Record<string, number>>
  /** Processor time of the process and of those that it started and that ended; absent where the system does not say. */
  readonly processorMs?: number | undefined
}

/** How long a process with spec files took. */
export interface ProcessTime {
  readonly name: string
  readonly milliseconds: number
  readonly processorMs: number | undefined
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

/** How long each process took, and how much of it it computed: what says whether a run waits or is short of cores. */
export function renderProcesses(times: readonly ProcessTime[]): string {
  const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(1).padStart(7)
  const lines = times
    .toSorted((left, right) => right.milliseconds - left.milliseconds)
    .map(({ name, milliseconds, processorMs }) => {
      const computed = processorMs === undefined ? '' : `${seconds(processorMs)} s computed`
      return `${seconds(milliseconds)} s ${computed}  ${name}\n`
    })
  const total = times.reduce((sum, { processorMs = 0 }) => sum + processorMs, 0)
  return `\nProcesses:\n${lines.join('')}${seconds(total)} s computed by all\n`
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
