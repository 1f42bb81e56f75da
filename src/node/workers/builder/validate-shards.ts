import { factorFault, type LoraPair, updateNorm } from '../../../adapter/index.ts'
import { FormatError } from '../../../formats/index.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import type { ValidateJob } from './jobs.ts'
import { MissingBlocksError, readPair, shardMemory } from './read-pair.ts'

/**
 * The part of rule 2 *Validate* about blocks: values are finite, no module's update exceeds its bound, and the factors
 * are not so large that rounding would distort the merge.
 *
 * @returns why it must not be endorsed, or undefined
 * @throws {MissingBlocksError} when blocks are missing
 */
export async function validateShards(store: BlockStore, job: ValidateJob): Promise<string | undefined> {
  const missing: string[] = []
  const memory = shardMemory()
  let fault: string | undefined
  try {
    for (const shard of job.source.shards) {
      const pair = await readPair(store, shard, job.source.dtype, missing, memory)
      if (pair === undefined || fault !== undefined) continue
      const bound = job.bounds.byModule[pair.module] ?? job.bounds.absolute
      fault = pairFault(pair, bound, job.rankStabilised)
    }
    if (missing.length > 0) throw new MissingBlocksError(missing)
    return fault
  } catch (error) {
    if (error instanceof FormatError) return error.message
    throw error
  }
}

/** Why a pair whose ΔW may have the norm `bound` must not be endorsed, or undefined. */
export function pairFault(pair: LoraPair, bound: number, rsLora = false): string | undefined {
  const norm = updateNorm(pair, rsLora)
  if (!(norm <= bound)) return `${pair.module}: the update's norm ${norm} is above ${bound}`
  return factorFault(pair, bound, rsLora)
}
