import { AdapterError, updateNorm } from '../../adapter/index.ts'
import type { BlockStore } from '../store/block-store.ts'
import type { ValidateJob } from './jobs.ts'
import { readAdapter } from './read-adapter.ts'

/**
 * Rule 2 *Validate*, as far as the blocks tell: they hold finite values, and no module's update is larger than its bound.
 *
 * @returns why no honest member endorses it, or undefined
 * @throws {MissingBlocksError} when blocks are not there
 */
export async function validateShards(store: BlockStore, job: ValidateJob): Promise<string | undefined> {
  try {
    const { pairs } = await readAdapter(store, job.source)
    for (const pair of pairs) {
      const norm = updateNorm(pair, job.rankStabilised)
      const bound = job.bounds.byModule[pair.module] ?? job.bounds.absolute
      if (!(norm <= bound)) return `${pair.module}: the update's norm ${norm} is above ${bound}`
    }
    return undefined
  } catch (error) {
    if (error instanceof AdapterError) return error.message
    throw error
  }
}
