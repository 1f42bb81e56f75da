import { AdapterError } from '../../src/adapter/pair/adapter-error.ts'
import type { LoraAdapter, LoraPair } from '../../src/adapter/pair/lora-adapter.ts'
import type { Aggregate, AggregationRule } from './aggregation-rule.ts'
import { addScaled, pairsByModule, type SharedPair } from './average-factors.ts'
import { adapterBytes } from './bytes.ts'
import { makeAggregate } from './make-aggregate.ts'
import { goOn } from './starts.ts'

/**
 * FFA-LoRA (Sun et al., ICLR 2024, arXiv 2403.12313): A is random, frozen and the same for all, so the average of B
 * alone is exact: Σ p_k s_k B_k · A. A member of a smaller rank has the first rows of the shared A.
 */
export const ffa: AggregationRule = {
  name: 'ffa',
  trains: ['B'],
  aggregate: (members, options) =>
    makeAggregate({ pairs: [...pairsByModule(members, options).values()].map(averageB) }),
  start: goOn,
  bytesDown: bytesOfOwnB
}

function averageB(parts: readonly SharedPair[]): LoraPair {
  const widest = parts.reduce((best, { pair }) => (pair.rank > best.rank ? pair : best), parts[0]!.pair)
  const { module, rank, inFeatures, outFeatures } = widest
  const B = new Float64Array(outFeatures * rank)
  for (const { pair, share, scale } of parts) {
    if (!pair.A.every((value, i) => Object.is(value, widest.A[i])))
      throw new AdapterError(`${module}: A differs between members, but ffa requires a shared frozen A`)
    addScaled(B, rank, pair, share * scale)
  }
  const A = widest.A.slice()
  return { module, rank, alpha: rank, inFeatures, outFeatures, A, B: Float32Array.from(B) }
}

function bytesOfOwnB({ ranks }: Aggregate, own: LoraAdapter): number {
  const pairs = own.pairs.map((pair) => {
    const rank = Math.min(pair.rank, ranks.get(pair.module) ?? 0)
    return { ...pair, B: pair.B.subarray(0, rank * pair.outFeatures) }
  })
  return adapterBytes({ pairs }, ['B'])
}
