import type { LoraAdapter, LoraPair } from '../../src/adapter/pair/lora-adapter.ts'
import { loraScale } from '../../src/adapter/pair/lora-scale.ts'
import type { Aggregate, AggregationOptions, RoundStart } from './aggregation-rule.ts'

/** The whole update is merged into the base; the member starts fresh. */
export function mergeAll({ adapter, residual }: Aggregate): RoundStart {
  return { merge: adapter, residual, adapter: undefined }
}

/**
 * The base does not change (except for a dense residual); the member continues from the global pairs, cut to its own
 * ranks or padded with zeros, with its own scale divided out of B.
 */
export function goOn(
  { adapter, residual }: Aggregate,
  own: LoraAdapter,
  options: AggregationOptions = {}
): RoundStart {
  const global = new Map(adapter.pairs.map((pair) => [pair.module, pair]))
  const pairs = own.pairs.flatMap((mine) => {
    const pair = global.get(mine.module)
    return pair === undefined ? [] : [resized(pair, mine, loraScale(mine, options.rsLora))]
  })
  return { merge: { pairs: [] }, residual, adapter: { pairs } }
}

/** The first rows of A and columns of B of a pair of scale 1, for a pair of another rank and scale. */
function resized(pair: LoraPair, { rank, alpha }: LoraPair, scale: number): LoraPair {
  const { module, inFeatures, outFeatures } = pair
  const A = new Float32Array(rank * inFeatures)
  const B = new Float32Array(outFeatures * rank)
  const kept = Math.min(rank, pair.rank)
  A.set(pair.A.subarray(0, kept * inFeatures))
  for (let i = 0; i < outFeatures; i++) {
    for (let k = 0; k < kept; k++) B[i * rank + k] = pair.B[i * pair.rank + k]! / scale
  }
  return { module, rank, alpha, inFeatures, outFeatures, A, B }
}
