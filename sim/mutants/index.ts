/** The protocol with one rule broken at a time, which the simulator must detect (`docs/results/mutants.md`). */

import { DECIDING_MUTANTS } from './deciding.ts'
import { HISTORY_MUTANTS } from './history.ts'
import { MEMBER_MUTANTS } from './members.ts'
import type { Mutant } from './mutant.ts'
import { SHARD_MUTANTS } from './shards.ts'

export { loadSubject, type Subject } from './load.ts'
export { applyMutant, type Mutant } from './mutant.ts'

/** By name. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  ...DECIDING_MUTANTS,
  ...SHARD_MUTANTS,
  ...MEMBER_MUTANTS,
  ...HISTORY_MUTANTS
}
