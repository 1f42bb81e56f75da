import { AdapterError } from '../pair/adapter-error.ts'
import { checkAdapter } from '../pair/check-adapter.ts'
import type { LoraAdapter, LoraPair } from '../pair/lora-adapter.ts'
import { pairFromSvd, productSvd, tailEnergy } from './product-svd.ts'

/** An adapter of smaller rank, and the error of the reduction. */
export interface LimitedAdapter {
  readonly adapter: LoraAdapter
  /** ‖ΔW − ΔW'‖ / ‖ΔW‖ over all modules, Frobenius norms; 0 if no module exceeded the rank. */
  readonly error: number
}

/**
 * The nearest adapter with modules of at most the given rank (Eckart and Young), by an SVD that never forms ΔW. Modules
 * of that rank or less are unchanged, bit for bit. No module keeps a rank above min(in, out), which its ΔW cannot have.
 *
 * @param adapter of scale 1
 * @throws {AdapterError} when a module's alpha differs from its rank, or the rank is not a positive integer
 */
export function limitRank(adapter: LoraAdapter, maxRank = Number.MAX_SAFE_INTEGER): LimitedAdapter {
  if (!Number.isSafeInteger(maxRank) || maxRank < 1)
    throw new AdapterError(`the maximum rank must be a positive integer, got ${maxRank}`)
  let lost = 0
  let whole = 0
  const kept: LoraPair[] = []
  const pairs = checkAdapter(adapter).pairs.map((pair) => {
    const { module, rank, alpha, inFeatures, outFeatures } = pair
    if (alpha !== rank)
      throw new AdapterError(`${module}: alpha ${alpha} ≠ rank ${rank}; fold the scale into A first`)
    const limit = Math.min(maxRank, inFeatures, outFeatures)
    if (rank <= limit) {
      kept.push(pair)
      return pair
    }
    const svd = productSvd(pair)
    whole += tailEnergy(svd.sigma, 0)
    lost += tailEnergy(svd.sigma, limit)
    return pairFromSvd(module, svd, limit)
  })
  // What is not limited counts only where something is lost.
  if (lost > 0) for (const pair of kept) whole += tailEnergy(productSvd(pair).sigma, 0)
  return { adapter: { pairs }, error: lost === 0 ? 0 : Math.sqrt(lost / whole) }
}
