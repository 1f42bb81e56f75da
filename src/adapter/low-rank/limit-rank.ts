import { AdapterError } from '../pair/adapter-error.ts'
import { checkAdapter } from '../pair/check-adapter.ts'
import type { LoraAdapter } from '../pair/lora-adapter.ts'
import { pairFromSvd, productSvd, tailEnergy } from './product-svd.ts'

/** An adapter of smaller rank, and the error of the reduction. */
export interface LimitedAdapter {
  readonly adapter: LoraAdapter
  /** ‖ΔW − ΔW'‖ / ‖ΔW‖ over all modules, Frobenius norms; 0 if no module exceeded the rank. */
  readonly error: number
}

/**
 * The nearest adapter with modules of at most the given rank (Eckart and Young), by an SVD that never forms ΔW. Modules
 * of that rank or less are unchanged, bit for bit.
 *
 * @param adapter of scale 1
 * @throws {AdapterError} when a module's alpha differs from its rank, or the rank is not a positive integer
 */
export function limitRank(adapter: LoraAdapter, maxRank: number): LimitedAdapter {
  if (!Number.isSafeInteger(maxRank) || maxRank < 1)
    throw new AdapterError(`the maximum rank must be a positive integer, got ${maxRank}`)
  let lost = 0
  let whole = 0
  const pairs = checkAdapter(adapter).pairs.map((pair) => {
    const { module, rank, alpha } = pair
    if (alpha !== rank)
      throw new AdapterError(`${module}: alpha ${alpha} ≠ rank ${rank}; fold the scale into A first`)
    const svd = productSvd(pair)
    whole += tailEnergy(svd.sigma, 0)
    if (rank <= maxRank) return pair
    lost += tailEnergy(svd.sigma, maxRank)
    return pairFromSvd(module, svd, maxRank)
  })
  return { adapter: { pairs }, error: lost === 0 ? 0 : Math.sqrt(lost / whole) }
}
