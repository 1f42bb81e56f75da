import { combineSeeds } from '../../src/data/index.ts'
import { runCentralised, runStandalone } from './baselines.ts'
import type { TokenizedDomain } from './corpus.ts'
import { type Laboratory, runFederation } from './federated-run.ts'
import { createMembers, pooledBatches } from './members.ts'
import { createMethod } from './methods.ts'
import { workOf } from './plan.ts'
import type { ResultPoint, ResultsFile } from './results.ts'
import { type RunDescription, runId } from './run-description.ts'

/** Progress of an experiment. */
export interface ExperimentProgress {
  readonly run: number
  readonly runs: number
  readonly id: string
  readonly round: number
  readonly rounds: number
  /** Wall seconds left at the pace so far; undefined at first. */
  readonly secondsLeft: number | undefined
}

/**
 * Executes every run missing from the results file, in order, and appends each when it is done.
 *
 * @throws the signal's reason between two rounds; finished runs are kept
 */
export async function runExperiment(
  laboratory: Laboratory,
  domains: readonly TokenizedDomain[],
  plan: readonly RunDescription[],
  results: ResultsFile,
  onProgress: (progress: ExperimentProgress) => void,
  signal: AbortSignal
): Promise<void> {
  const members = laboratory.settings.members
  const open = plan.filter((run) => !results.runs.has(runId(run)))
  const total = open.reduce((sum, run) => sum + workOf(run, members), 0)
  const started = performance.now()
  let done = 0
  for (const run of open) {
    const id = runId(run)
    const report = (round: number): void => {
      signal.throwIfAborted()
      const worked = done + (workOf(run, members) * round) / run.rounds
      onProgress({
        run: plan.indexOf(run) + 1,
        runs: plan.length,
        id,
        round,
        rounds: run.rounds,
        secondsLeft: worked === 0 ? undefined : ((performance.now() - started) / 1000) * (total / worked - 1)
      })
    }
    report(0)
    const before = process.cpuUsage()
    const points = await makeRun(laboratory, domains, run, report)
    const { user, system } = process.cpuUsage(before)
    results.append({ id, ...run, points, seconds: (user + system) / 1e6 })
    done += workOf(run, members)
  }
}

function makeRun(
  laboratory: Laboratory,
  domains: readonly TokenizedDomain[],
  run: RunDescription,
  onRound: (round: number) => void
): Promise<ResultPoint[]> {
  const { base, settings } = laboratory
  const pooled = () => pooledBatches(base, domains, combineSeeds(run.seed, domains.length), settings)
  if (run.method === 'centralised')
    return runCentralised(laboratory, pooled(), run, settings.members, onRound)
  if (run.method === 'centralised-short') return runCentralised(laboratory, pooled(), run, 1, onRound)
  const members = createMembers(base, domains, run.split, run.seed, settings)
  if (run.method === 'standalone') return runStandalone(laboratory, members, run, onRound)
  const method = createMethod({ base, settings, rule: run.method, start: run.start, seed: run.seed })
  return runFederation(laboratory, members, method, run, onRound)
}
