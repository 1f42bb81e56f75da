/** What is run of a simulation, with the protocol as it is or with a mutant's (`mutants/load.ts`). */

export { runScenario, runSeed } from './run-seed.ts'
export { runSituation } from './run-situation.ts'
