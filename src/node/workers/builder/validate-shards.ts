import { updateNorm } from '../../../adapter/index.ts'
import { FormatError } from '../../../formats/index.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import type { ValidateJob } from './jobs.ts'
import { MissingBlocksError, readPair, shardMemory } from './read-pair.ts'

/**
 * Rule 2 *Validate*, as far as the blocks tell: they hold finite values, and no module's update is larger than its bound.
 *
 * @returns why no honest member endorses it, or undefined
 * @throws {MissingBlocksError} when blocks are not there
 */
export async function validateShards(store: BlockStore, job: ValidateJob): Promise<string | undefined> {
  const missing: string[] = []
  const memory = shardMemory()
  let fault: string | undefined
  try {
    for (const shard of job.source.shards) {
      const pair = await readPair(store, shard, job.source.dtype, missing, memory)
      if (pair === undefined || fault !== undefined) continue
      const norm = updateNorm(pair, job.rankStabilised)
      const bound = job.bounds.byModule[pair.module] ?? job.bounds.absolute
      if (!(norm <= bound)) fault = `${pair.module}: the update's norm ${norm} is above ${bound}`
    }
    if (missing.length > 0) throw new MissingBlocksError(missing)
    return fault
  } catch (error) {
    if (error instanceof FormatError) return error.message
    throw error
  }
}
