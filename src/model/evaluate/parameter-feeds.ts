import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import type { FeedValue } from '../executor/index.ts'
import { applyAdapter } from './apply-adapter.ts'

/** The feeds of a scoring graph without LoRA: float32 weights, with an adapter merged in if there is one. */
export function parameterFeeds(
  weights: TensorMap,
  adapter?: LoraAdapter,
  rsLora = false
): Map<string, FeedValue> {
  const applied = adapter === undefined ? weights : applyAdapter(weights, adapter, rsLora)
  return new Map([...applied].map(([name, { data }]) => [name, data]))
}
