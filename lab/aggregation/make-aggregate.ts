import { allFinite, isFinitePair } from '../../src/adapter/pair/check-adapter.ts'
import type { LoraAdapter } from '../../src/adapter/pair/lora-adapter.ts'
import { adapterTensors } from '../../src/adapter/peft/adapter-tensors.ts'
import { residualKey } from '../../src/adapter/peft/peft-keys.ts'
import type { Tensor } from '../../src/formats/tensor.ts'
import type { Aggregate } from './aggregation-rule.ts'

/**
 * Builds an aggregate from its parts.
 *
 * @param adapter of scale 1, sorted by module
 */
export function makeAggregate(
  adapter: LoraAdapter,
  residual: ReadonlyMap<string, Tensor> = new Map()
): Aggregate {
  const tensors = adapterTensors(adapter)
  for (const [module, tensor] of residual) tensors.set(residualKey(module), tensor)
  return {
    adapter,
    residual,
    tensors,
    ranks: new Map(adapter.pairs.map(({ module, rank }) => [module, rank])),
    finite: adapter.pairs.every(isFinitePair) && [...residual.values()].every(({ data }) => allFinite(data))
  }
}
