import { fork } from 'node:child_process'
import { loadSubject } from '../mutants/index.ts'
import type { SeedResult } from '../runs/run-seed.ts'

/** Options of a sweep. */
export interface SweepOptions {
  readonly from: number
  readonly seeds: number
  readonly mutant?: string | undefined
  /** Number of processes among which the seeds are divided. */
  readonly jobs: number
  /** Whether to stop at the first failure: a mutant needs to be killed once only. */
  readonly untilFailure?: boolean
  /** Minimum number of rounds that every seed seals. */
  readonly rounds?: number | undefined
  /** Seeds of an earlier run, which are skipped. */
  readonly done?: ReadonlySet<number>
  readonly onResult?: (result: SeedResult) => void
}

/** The seeds of one worker process. */
export interface Assignment {
  readonly seeds: readonly number[]
  readonly rounds: number | undefined
  readonly mutant: string | undefined
  readonly untilFailure: boolean
}

/** Runs seeds, in several processes if `jobs` is above one; results are in the order of seeds. */
export async function sweep(options: SweepOptions): Promise<SeedResult[]> {
  const { from, seeds, mutant, jobs, rounds, done, untilFailure = false, onResult } = options
  const results: SeedResult[] = []
  const take = (result: SeedResult) => {
    results.push(result)
    onResult?.(result)
  }
  const all = Array.from({ length: seeds }, (_, index) => from + index).filter((seed) => !done?.has(seed))
  const assignments = Array.from({ length: jobs }, (_, job) => ({
    seeds: all.filter((_seed, index) => index % jobs === job),
    rounds,
    mutant,
    untilFailure
  }))
  if (jobs === 1) for await (const result of carryOut(assignments[0]!)) take(result)
  else await Promise.all(assignments.map((assignment) => inProcess(assignment, take)))
  return results.sort((left, right) => left.seed - right.seed)
}

/** Runs the seeds of one assignment, one after the other. */
export async function* carryOut(assignment: Assignment): AsyncGenerator<SeedResult> {
  const { seeds, rounds, mutant, untilFailure } = assignment
  const { runSeed } = await loadSubject(mutant)
  for (const seed of seeds) {
    const result = runSeed(seed, rounds)
    yield result
    if (untilFailure && result.failure !== undefined) return
  }
}

function inProcess(assignment: Assignment, take: (result: SeedResult) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = fork(new URL('./sweep-worker.js', import.meta.url), {
      serialization: 'advanced',
      // Simulations create many short-lived objects: a larger young generation collects them more cheaply.
      execArgv: ['--max-semi-space-size=64']
    })
    worker.on('message', (message: SeedResult | 'done') => {
      if (message === 'done') worker.disconnect()
      else take(message)
    })
    worker.on('error', reject)
    worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))))
    worker.send(assignment)
  })
}
