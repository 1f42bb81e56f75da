import { adapterTensors } from '../adapter-tensors.ts'
import { allFinite, isFinitePair } from '../check-adapter.ts'
import type { LoraAdapter } from '../lora-adapter.ts'
import { residualKey } from '../peft-keys.ts'
import type { Tensor } from '../tensor.ts'
import type { Aggregate } from './aggregation-rule.ts'

/**
 * An aggregate of its parts.
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
