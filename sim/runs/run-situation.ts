import type { Violation } from '../invariants/watch.ts'
import { situations } from '../scenarios/situations.ts'
import { runScenario } from './run-seed.ts'
import { seatSituations } from './single-member-situations.ts'

/** What goes wrong in the situation that is made for a mutant; nothing does with the protocol as it is. */
export function runSituation(situation: string, seed: number): Violation | undefined {
  const scenario = situations[situation]
  return scenario === undefined ? seatSituations[situation]!() : runScenario(scenario(seed)).failure
}
