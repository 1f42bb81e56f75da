/** The entry points of a simulation, run with the unmodified protocol or with a mutant's (`mutants/load.ts`). */

export { runScenario, runSeed } from './run-seed.ts'
export { runSituation } from './run-situation.ts'
