import { mergePairInPlace } from '../../src/adapter/merge/merge.ts'
import type { LoraAdapter, LoraPair } from '../../src/adapter/pair/lora-adapter.ts'
import { joinPairs } from '../../src/adapter/stack/join-pairs.ts'
import { type StackMember, stackAdapters } from '../../src/adapter/stack/stack.ts'
import type { Tensor } from '../../src/formats/tensor.ts'
import type { Aggregate, AggregationRule } from './aggregation-rule.ts'
import { averageFactors, pairsByModule } from './average-factors.ts'
import { adapterBytes } from './bytes.ts'
import { makeAggregate } from './make-aggregate.ts'
import { goOn } from './starts.ts'

const FLOAT32_BYTES = 4

/**
 * FedEx-LoRA (Singhal et al., 2024, arXiv 2410.09432): A and B are averaged separately, and the resulting error, Σ p_k
 * s_k B_k A_k − B·A, is folded into the frozen base, so the result is exact. Members continue from the average.
 */
export const fedex: AggregationRule = {
  name: 'fedex',
  trains: ['A', 'B'],
  aggregate(members, options) {
    const stack = stackAdapters(members, options)
    if (!stack.finite) return { ...stack, residual: new Map() }
    const parts = pairsByModule(members, options)
    const pairs = stack.adapter.pairs.map(({ module }) => averageFactors(parts.get(module)!))
    const residuals = stack.adapter.pairs.map((pair, i): [string, Tensor] => [
      pair.module,
      residualOf(pair, pairs[i]!)
    ])
    return makeAggregate({ pairs }, new Map(residuals))
  },
  start: goOn,
  bytesDown
}

/** B_s·A_s − B·A, by the canonical merge into zeros. */
function residualOf(stacked: LoraPair, average: LoraPair): Tensor {
  const { inFeatures, outFeatures } = stacked
  const data = new Float32Array(outFeatures * inFeatures)
  const joined = joinPairs([
    { pair: stacked, coefficient: 1 },
    { pair: average, coefficient: -1 }
  ])
  mergePairInPlace(data, joined)
  return { shape: [outFeatures, inFeatures], data }
}

/** The average's pair, and either the residual or the stack from which it follows, whichever is smaller. */
function bytesDown(
  { adapter, residual }: Aggregate,
  _own: LoraAdapter,
  members: readonly StackMember[]
): number {
  const sent = new Map<string, number>()
  for (const { module, A, B } of members.flatMap((member) => member.adapter.pairs))
    sent.set(module, (sent.get(module) ?? 0) + A.length + B.length)
  let elements = 0
  for (const [module, { data }] of residual) elements += Math.min(data.length, sent.get(module)!)
  return adapterBytes(adapter) + FLOAT32_BYTES * elements
}
