import { DECIDING_MUTANTS } from './deciding.ts'
import { HISTORY_MUTANTS } from './history.ts'
import { MEMBER_MUTANTS } from './members.ts'
import type { Mutant } from './mutant.ts'
import { SHARD_MUTANTS } from './shards.ts'

/** Mutants by name. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  ...DECIDING_MUTANTS,
  ...SHARD_MUTANTS,
  ...MEMBER_MUTANTS,
  ...HISTORY_MUTANTS
}
