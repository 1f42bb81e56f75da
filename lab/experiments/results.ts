import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DomainLosses } from './held-out.ts'
import type { RunDescription } from './run-description.ts'
import type { ExperimentSettings } from './settings.ts'

/** The model after some rounds of a run. */
export interface ResultPoint {
  readonly round: number
  readonly losses: DomainLosses
  /** Mean over the domains. */
  readonly mean: number
  /** For the standalone baseline: every member's losses, in the order of the members. */
  readonly members?: readonly DomainLosses[]
  /** Figures of the rule's result for this round; absent for baselines. */
  readonly aggregation?: {
    /** Largest rank of a module of the round's result. */
    readonly rank: number
    /** See `aggregationError`. */
    readonly error: number
    /** Bytes of float32 of the round, over all members: what they send, and what they receive of the outcome. */
    readonly bytesUp: number
    readonly bytesDown: number
    /** Members whose update counted. */
    readonly members: number
  }
}

/** A finished run: one line of the results file. */
export interface RunResult extends RunDescription {
  readonly id: string
  readonly points: readonly ResultPoint[]
  /** Processor time, seconds. */
  readonly seconds: number
}

/** First line of a results file: the conditions of the runs. */
export interface ResultsHeader {
  readonly model: string
  /** SHA-256 of the model's weights. */
  readonly weights: string
  readonly domains: readonly string[]
  readonly base: DomainLosses
  readonly settings: ExperimentSettings
}

/**
 * The results of an experiment, on disk line by line, so that an interrupted one resumes after its last complete run.
 */
export interface ResultsFile {
  readonly header: ResultsHeader
  readonly runs: ReadonlyMap<string, RunResult>
  append(run: RunResult): void
}

/**
 * Opens a results file, or creates it.
 *
 * @throws {Error} when it belongs to another model or other settings
 */
export function openResults(path: string, header: ResultsHeader): ResultsFile {
  const runs = new Map<string, RunResult>()
  if (existsSync(path)) {
    const found = readResults(path)
    if (JSON.stringify(settingsOf(found.header)) !== JSON.stringify(settingsOf(header)))
      throw new Error(`${path} holds results of another model or other settings: choose another --out folder`)
    for (const run of found.runs) runs.set(run.id, run)
    dropUnfinishedLine(path)
  } else {
    mkdirSync(dirname(path), { recursive: true })
    appendFileSync(path, `${JSON.stringify(header)}\n`)
  }
  return {
    header,
    runs,
    append(run) {
      appendFileSync(path, `${JSON.stringify(run)}\n`)
      runs.set(run.id, run)
    }
  }
}

/**
 * Reads a results file; a last line truncated by a crash is ignored.
 *
 * @throws {Error} when another line is damaged
 */
export function readResults(path: string): { header: ResultsHeader; runs: RunResult[] } {
  const lines = readFileSync(path, 'utf8').split('\n')
  lines.pop()
  const [header, ...runs] = lines.map((line, index) => {
    try {
      return JSON.parse(line) as unknown
    } catch {
      throw new Error(`${path}, line ${index + 1} is damaged: delete it to repeat its run`)
    }
  })
  if (header === undefined) throw new Error(`${path} is empty: delete it`)
  return { header: header as ResultsHeader, runs: runs as RunResult[] }
}

/** The remainder of a truncated line would run into the next one. */
function dropUnfinishedLine(path: string): void {
  const text = readFileSync(path, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole.length < text.length) writeFileSync(path, whole)
}

function settingsOf({ weights, domains, settings }: ResultsHeader): object {
  return { weights, domains, settings }
}
