import { fork } from 'node:child_process'
import { runSeed, type SeedResult } from './run-seed.ts'

/** What to run. */
export interface SweepOptions {
  readonly from: number
  readonly seeds: number
  readonly mutant?: string | undefined
  /** Processes that share the seeds. */
  readonly jobs: number
  /** Whether to stop at the first failure: a mutant needs to be caught once. */
  readonly untilFailure?: boolean
  readonly onResult?: (result: SeedResult) => void
}

/** What a worker process is told. */
export interface Assignment {
  readonly first: number
  readonly last: number
  readonly stride: number
  readonly mutant: string | undefined
  readonly untilFailure: boolean
}

/** Runs seeds, spread over processes where `jobs` is above one; results come in the order of their seeds. */
export async function sweep(options: SweepOptions): Promise<SeedResult[]> {
  const { from, seeds, mutant, jobs, untilFailure = false, onResult } = options
  const results: SeedResult[] = []
  const take = (result: SeedResult) => {
    results.push(result)
    onResult?.(result)
  }
  const assignments = Array.from({ length: jobs }, (_, index) => ({
    first: from + index,
    last: from + seeds - 1,
    stride: jobs,
    mutant,
    untilFailure
  }))
  if (jobs === 1) for (const result of carryOut(assignments[0]!)) take(result)
  else await Promise.all(assignments.map((assignment) => inProcess(assignment, take)))
  return results.sort((left, right) => left.seed - right.seed)
}

/** Runs the seeds of one assignment, one after the other. */
export function* carryOut({ first, last, stride, mutant, untilFailure }: Assignment): Generator<SeedResult> {
  for (let seed = first; seed <= last; seed += stride) {
    const result = runSeed(seed, mutant)
    yield result
    if (untilFailure && result.failure !== undefined) return
  }
}

function inProcess(assignment: Assignment, take: (result: SeedResult) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = fork(new URL('./sweep-worker.js', import.meta.url), {
      serialization: 'advanced',
      // Simulations make and drop many small objects: a larger young generation collects them more cheaply.
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
