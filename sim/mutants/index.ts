/** The protocol with one rule broken at a time, which the simulator must detect (`docs/results/mutants.md`). */

export { MUTANTS } from './list.ts'
export { loadSubject, type Subject } from './load.ts'
export { applyMutant, type Mutant } from './mutant.ts'
