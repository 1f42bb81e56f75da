/**
 * LoRA adapters as values: files, digests, shards, the FLoRA stack and its merge. Pure: values in, values out.
 *
 * @example
 * ```ts
 * import { decodeSafetensors, encodeSafetensors } from 'loam-net/adapter'
 *
 * const bytes = encodeSafetensors(new Map([['w.weight', { shape: [1, 2], data: Float32Array.of(1, -0) }]]))
 * decodeSafetensors(bytes).tensors.get('w.weight')?.shape // [1, 2]
 * ```
 */

export type { LoraAdapter, LoraPair } from './lora-adapter.ts'
export {
  type DecodedSafetensors,
  type DecodeSafetensorsOptions,
  decodeSafetensors,
  type EncodeSafetensorsOptions,
  encodeSafetensors,
  type SafetensorsDtype
} from './safetensors.ts'
export {
  parseSafetensorsHeader,
  type SafetensorsEntry,
  SafetensorsError,
  type SafetensorsHeader
} from './safetensors-header.ts'
export type { Tensor, TensorMap } from './tensor.ts'
