import type { Violation } from '../invariants/watch.ts'
import { Network } from '../network/network.ts'
import { drawScenario } from '../scenarios/draw-scenario.ts'
import type { Scenario } from '../scenarios/scenario.ts'

/** A seed's result, as kept by a sweep. */
export interface SeedResult {
  readonly seed: number
  readonly members: number
  readonly faulty: number
  readonly rounds: number
  readonly voidRounds: number
  readonly highestView: number
  readonly strain: number
  readonly cpuMs: number
  readonly failure?: Violation
}

/** Runs a scenario. */
export function runScenario(scenario: Scenario): SeedResult {
  const before = process.cpuUsage()
  const outcome = new Network(scenario).run()
  const { user, system } = process.cpuUsage(before)
  const { seed, members, faulty } = scenario
  const { rounds, voidRounds, highestView, strain } = outcome
  const [failure] = outcome.violations
  const result = { seed, members, faulty: faulty.length, rounds, voidRounds, highestView, strain }
  const cpuMs = Math.round((user + system) / 1000)
  return failure === undefined ? { ...result, cpuMs } : { ...result, cpuMs, failure }
}

/**
 * Draws a scenario from its seed and runs it. @param rounds minimum number of rounds to seal; by default the number
 * drawn
 */
export function runSeed(seed: number, rounds?: number): SeedResult {
  return runScenario(drawScenario(seed, rounds))
}
