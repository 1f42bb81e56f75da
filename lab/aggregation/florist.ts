import { pairFromSvd, productSvd, tailEnergy } from '../../src/adapter/low-rank/product-svd.ts'
import { AdapterError } from '../../src/adapter/pair/adapter-error.ts'
import type { LoraPair } from '../../src/adapter/pair/lora-adapter.ts'
import { stackAdapters } from '../../src/adapter/stack/stack.ts'
import type { AggregationRule } from './aggregation-rule.ts'
import { adapterBytes } from './bytes.ts'
import { makeAggregate } from './make-aggregate.ts'
import { mergeAll } from './starts.ts'

/** Fraction of the energy that is kept by default. */
export const DEFAULT_ENERGY = 0.99
/** Singular values below this fraction of the largest are rounding errors. */
export const NEGLIGIBLE = 2 ** -40

/**
 * FLoRIST (Ramesh et al., 2025, arXiv 2506.09199): SVD of the stack without forming ΔW, truncated where the kept
 * singular values contain a given fraction of the energy Σσ². The rule's only error is what is dropped. The result is
 * merged into the base.
 */
export const florist: AggregationRule = {
  name: 'florist',
  trains: ['A', 'B'],
  aggregate(members, options = {}) {
    const energy = options.energy ?? DEFAULT_ENERGY
    if (!(energy > 0 && energy <= 1)) throw new AdapterError(`energy must be in (0, 1], got ${energy}`)
    const stack = stackAdapters(members, options)
    if (!stack.finite) return { ...stack, residual: new Map() }
    return makeAggregate({ pairs: stack.adapter.pairs.map((pair) => compressed(pair, energy)) })
  },
  start: mergeAll,
  bytesDown: ({ adapter }) => adapterBytes(adapter)
}

function compressed(pair: LoraPair, energy: number): LoraPair {
  const svd = productSvd(pair)
  return pairFromSvd(pair.module, svd, rankOfEnergy(svd.sigma, energy))
}

/**
 * The smallest rank, at least 1, whose singular values contain a given fraction of the energy.
 *
 * @param sigma descending
 * @param energy in (0, 1]
 */
export function rankOfEnergy(sigma: Float64Array, energy: number): number {
  const allowed = (1 - energy) * tailEnergy(sigma, 0)
  let rank = sigma.length
  while (rank > 1 && (tailEnergy(sigma, rank - 1) <= allowed || sigma[rank - 1]! <= NEGLIGIBLE * sigma[0]!))
    rank--
  return rank
}
