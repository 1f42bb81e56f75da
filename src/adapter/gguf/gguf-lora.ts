import type { GgufFile, GgufValue } from '../../formats/gguf/gguf.ts'
import { type GgufArchitecture, ggufParts } from '../../formats/gguf/llama-names.ts'
import type { Tensor } from '../../formats/tensor.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import { checkAdapter } from '../pair/check-adapter.ts'
import type { LoraAdapter } from '../pair/lora-adapter.ts'

/**
 * An adapter as llama.cpp's `--lora` loads it: `blk.N.attn_q.weight.lora_a` [r, in] and `.lora_b` [out, r], rows of q
 * and k in GGUF's order. The file has a single alpha, and llama.cpp scales every module by alpha / rank. Here alpha is
 * the largest rank, and each module's remaining scale is folded into its A.
 *
 * @param name for `general.name`
 * @throws {AdapterError} for an empty adapter, or a module without a name in GGUF
 */
export function ggufLora(adapter: LoraAdapter, architecture: GgufArchitecture, name: string): GgufFile {
  const { pairs } = checkAdapter(adapter)
  if (pairs.length === 0) throw new AdapterError('an adapter without modules cannot be exported')
  const alpha = Math.max(...pairs.map(({ rank }) => rank))
  const tensors = new Map<string, Tensor>()
  for (const pair of pairs) {
    const { module, rank, inFeatures, outFeatures, A, B } = pair
    const factor = pair.alpha / alpha
    const scaled = factor === 1 ? A : A.map((element) => element * factor)
    for (const [stem, part] of ggufParts(module, { shape: [outFeatures, rank], data: B }, architecture)) {
      tensors.set(`${stem}.weight.lora_a`, { shape: [rank, inFeatures], data: scaled })
      tensors.set(`${stem}.weight.lora_b`, part)
    }
  }
  const metadata = new Map<string, GgufValue>([
    ['general.type', { type: 'string', value: 'adapter' }],
    ['general.architecture', { type: 'string', value: architecture.name }],
    ['general.name', { type: 'string', value: name }],
    ['adapter.type', { type: 'string', value: 'lora' }],
    ['adapter.lora.alpha', { type: 'float32', value: alpha }]
  ])
  return { metadata, tensors }
}
