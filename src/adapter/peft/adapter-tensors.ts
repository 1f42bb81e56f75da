import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import { checkAdapter } from '../pair/check-adapter.ts'
import type { LoraAdapter } from '../pair/lora-adapter.ts'
import { type LoraFactor, parsePeftKey, peftKey } from './peft-keys.ts'

/** The factors of an adapter under their PEFT keys, unscaled; they share the adapter's memory. */
export function adapterTensors(adapter: LoraAdapter): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>()
  for (const { module, rank, inFeatures, outFeatures, A, B } of checkAdapter(adapter).pairs) {
    tensors.set(peftKey(module, 'A'), { shape: [rank, inFeatures], data: A })
    tensors.set(peftKey(module, 'B'), { shape: [outFeatures, rank], data: B })
  }
  return tensors
}

/**
 * The adapter whose factors are `tensors`; it shares their memory.
 *
 * @param tensors by PEFT key, both factors of every module and nothing else
 * @param alphaOf alpha of a module with that rank; for a stack, where the scale is folded in, it is the rank itself
 * @throws {AdapterError} for a key that is not a PEFT key, a factor without its partner, or inconsistent shapes
 */
export function adapterFromTensors(
  tensors: TensorMap,
  alphaOf: (module: string, rank: number) => number = (_module, rank) => rank
): LoraAdapter {
  const factors = { A: new Map<string, Tensor>(), B: new Map<string, Tensor>() } satisfies Record<
    LoraFactor,
    unknown
  >
  for (const [key, tensor] of tensors) {
    const parsed = parsePeftKey(key)
    if (parsed === undefined)
      throw new AdapterError(
        `${JSON.stringify(key.slice(0, 200))} is not a key of a LoRA factor: expected MODULE.lora_A.weight or MODULE.lora_B.weight`
      )
    if (tensor.shape.length !== 2)
      throw new AdapterError(`${key} has ${tensor.shape.length} dimensions, not 2`)
    factors[parsed.factor].set(parsed.module, tensor)
  }
  for (const module of factors.B.keys())
    if (!factors.A.has(module)) throw new AdapterError(`${module} has B but no A`)
  const pairs = [...factors.A].map(([module, a]) => {
    const b = factors.B.get(module)
    if (b === undefined) throw new AdapterError(`${module} has A but no B`)
    const rank = a.shape[0]!
    if (b.shape[1] !== rank) throw new AdapterError(`${module}: A has rank ${rank}, B has rank ${b.shape[1]}`)
    const [inFeatures, outFeatures] = [a.shape[1]!, b.shape[0]!]
    return { module, rank, alpha: alphaOf(module, rank), inFeatures, outFeatures, A: a.data, B: b.data }
  })
  return checkAdapter({ pairs })
}
