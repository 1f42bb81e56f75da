import type { Violation } from '../invariants/watch.ts'
import { situations } from '../scenarios/situations.ts'
import { runScenario } from './run-seed.ts'
import { seatSituations } from './single-member-situations.ts'

/** The violation in a mutant's situation; with the unmodified protocol there is none. */
export function runSituation(situation: string, seed: number): Violation | undefined {
  const scenario = situations[situation]
  return scenario === undefined ? seatSituations[situation]!() : runScenario(scenario(seed)).failure
}
