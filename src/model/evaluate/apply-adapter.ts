import { mergePair } from '../../adapter/merge/merge.ts'
import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import { loraScale } from '../../adapter/pair/lora-scale.ts'
import type { Tensor, TensorMap } from '../../formats/tensor.ts'

/**
 * The weights with an adapter merged in, W + scale · B A, in float32; weights it does not touch are shared, not copied.
 * For a stack (alpha = rank) the bits are those of the canonical merge.
 *
 * @param weights parameters by Hugging Face name
 * @param rsLora whether the scale is alpha / √rank instead of alpha / rank
 * @throws {Error} when the adapter has a module that the model lacks or that has another shape
 */
export function applyAdapter(weights: TensorMap, adapter: LoraAdapter, rsLora = false): Map<string, Tensor> {
  const merged = new Map(weights)
  for (const pair of adapter.pairs) {
    const name = `${pair.module}.weight`
    const weight = weights.get(name)
    if (`${weight?.shape}` !== `${[pair.outFeatures, pair.inFeatures]}`) {
      const found = weight ? `is [${weight.shape}] in the model` : 'is not in the model'
      throw new Error(`the adapter's ${pair.module} [${pair.outFeatures},${pair.inFeatures}] ${found}`)
    }
    const scale = loraScale(pair, rsLora)
    const scaled =
      scale === 1 ? pair : { ...pair, alpha: pair.rank, A: pair.A.map((element) => element * scale) }
    merged.set(name, { shape: weight!.shape, data: mergePair(weight!.data, scaled) })
  }
  return merged
}
