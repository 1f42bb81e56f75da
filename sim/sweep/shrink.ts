import type { Invariant } from '../invariants/watch.ts'
import { loadSubject } from '../mutants/index.ts'
import { CALM, type Scenario, type Weather } from '../scenarios/scenario.ts'

/** A scenario that shows a violation, as stored in a file. */
export interface ShrunkScenario {
  readonly mutant: string | null
  readonly invariant: Invariant
  readonly scenario: Scenario
}

/**
 * Simplifies a failing scenario: removes one thing at a time while the run still violates the same invariant.
 *
 * @throws {RangeError} for a scenario that does not fail
 */
export async function shrink(
  scenario: Scenario,
  mutant: string | undefined,
  onStep: (scenario: Scenario) => void = () => {}
): Promise<ShrunkScenario> {
  const { runScenario } = await loadSubject(mutant)
  const invariant = runScenario(scenario).failure?.invariant
  if (invariant === undefined) throw new RangeError(`seed ${scenario.seed} does not fail`)
  let least = scenario
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false
    for (const simpler of simplerOnes(least)) {
      if (JSON.stringify(simpler) === JSON.stringify(least)) continue
      if (runScenario(simpler).failure?.invariant !== invariant) continue
      least = simpler
      isSmaller = true
      onStep(least)
      break
    }
  }
  return { mutant: mutant ?? null, invariant, scenario: least }
}

/** Scenarios with one thing removed, the largest removals first. */
function* simplerOnes(scenario: Scenario): Generator<Scenario> {
  const { rounds, weather, faulty, clocks, members } = scenario
  if (rounds > 1) yield { ...scenario, rounds: 1, weather: weather.slice(0, 1) }
  if (rounds > 1) yield { ...scenario, rounds: rounds - 1, weather: weather.slice(0, rounds - 1) }
  yield { ...scenario, signatures: 'ideal' }
  yield { ...scenario, joiners: 0, changes: [], absences: [], miscomputes: [] }
  for (const part of ['changes', 'absences', 'miscomputes'] as const) yield { ...scenario, [part]: [] }
  yield { ...scenario, clocks: clocks.map(() => 1) }
  yield { ...scenario, minShards: 1 }
  yield { ...scenario, calmDelay: [5, 60] }
  for (const fewer of withoutOne(faulty)) yield { ...scenario, faulty: fewer }
  for (const [index, member] of faulty.entries())
    for (const behaviours of withoutOne(member.behaviours))
      if (behaviours.length > 0)
        yield { ...scenario, faulty: replaced(faulty, index, { ...member, behaviours }) }
  const isNamed = faulty.some(({ member }) => member === members - 1)
  // With more than f faulty members the protocol guarantees nothing, so the scenario would prove nothing.
  const isTolerated = faulty.length <= Math.floor((members - 2) / 3)
  if (members > 1 && isTolerated && !isNamed && (scenario.joiners ?? 0) === 0)
    yield { ...scenario, members: members - 1 }
  for (const [index, one] of weather.entries())
    for (const calmer of calmerOnes(one)) yield { ...scenario, weather: replaced(weather, index, calmer) }
}

function* calmerOnes(weather: Weather): Generator<Weather> {
  const { script, partition: _, partitionByView: __, ...rest } = weather
  yield CALM
  yield script === undefined ? rest : { ...rest, script }
  yield rest
  yield { ...weather, crashes: [], untrained: [] }
  yield { ...weather, loss: 0, duplication: 0, losesHeld: false, delay: CALM.delay }
  yield { ...weather, untrained: [] }
  for (const crashes of withoutOne(weather.crashes)) yield { ...weather, crashes }
  if (script !== undefined)
    for (const acts of withoutOne(script.acts)) yield { ...weather, script: { ...script, acts } }
}

function withoutOne<T>(values: readonly T[]): T[][] {
  return values.map((_value, index) => values.toSpliced(index, 1))
}

function replaced<T>(values: readonly T[], index: number, value: T): T[] {
  return values.toSpliced(index, 1, value)
}
