import { compareStrings } from '../../formats/compare-strings.ts'
import type { ElementFormat } from '../../formats/elements/element-formats.ts'
import { decodeSafetensors, encodeSafetensors } from '../../formats/safetensors/safetensors.ts'
import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import { isFinitePair } from '../pair/check-adapter.ts'
import type { LoraAdapter } from '../pair/lora-adapter.ts'
import { adapterFromTensors, adapterTensors } from './adapter-tensors.ts'
import { PEFT_CONFIG_FILE, readLoraConfig } from './lora-config.ts'
import { peftKey, readForeignKey } from './peft-keys.ts'

/** File name of an adapter's factors. */
export const PEFT_WEIGHTS_FILE = 'adapter_model.safetensors'

/** A PEFT (Hugging Face) adapter folder as values. */
export interface PeftFolder {
  /** Contents of `adapter_config.json`, ready for JSON.stringify. */
  readonly config: Readonly<Record<string, unknown>>
  /** Contents of `adapter_model.safetensors`. */
  readonly weights: Uint8Array
}

/** GPT-2's linear modules, whose weights its checkpoints store as [in, out] (PyTorch's Conv1D). */
const CONV_1D = /(?:^|\.)(?:attn\.c_attn|attn\.c_proj|mlp\.c_fc|mlp\.c_proj)$/

/** What a PEFT folder contains. */
export interface PeftAdapter {
  readonly adapter: LoraAdapter
  /** Whether the scale is alpha / √rank. */
  readonly rsLora: boolean
  readonly baseModel: string | undefined
  /** Whether the config asks for factors of a module by its name or a pattern. */
  readonly names: (module: string) => boolean
  /** Copies of the base's parameters in the file, by their names: they mean nothing if the base has the same values. */
  readonly copies: TensorMap
}

/**
 * Writes an adapter in the form that PEFT and related tools load. A stack (alpha = rank) gets scale 1.
 *
 * @param baseModel value of `base_model_name_or_path`
 * @param dtype element format of the factors
 * @throws {AdapterError} for an empty adapter or numbers that do not fit together
 */
export function encodePeftFolder(
  adapter: LoraAdapter,
  baseModel: string,
  rsLora = false,
  dtype: ElementFormat = 'F32'
): PeftFolder {
  const tensors = adapterTensors(adapter)
  const first = adapter.pairs[0]
  if (first === undefined) throw new AdapterError('an adapter without modules cannot be exported')
  const modules = [...adapter.pairs].sort((a, b) => compareStrings(a.module, b.module))
  const others = modules.filter(({ rank, alpha }) => rank !== first.rank || alpha !== first.alpha)
  const config = {
    alpha_pattern: Object.fromEntries(others.map(({ module, alpha }) => [module, alpha])),
    base_model_name_or_path: baseModel,
    bias: 'none',
    fan_in_fan_out: modules.every(({ module }) => CONV_1D.test(module)),
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: first.alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: first.rank,
    rank_pattern: Object.fromEntries(others.map(({ module, rank }) => [module, rank])),
    target_modules: modules.map(({ module }) => module),
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: rsLora
  }
  return { config, weights: encodeSafetensors(tensors, { dtype, metadata: { format: 'pt' } }) }
}

/**
 * Reads a PEFT folder.
 *
 * @param config parsed `adapter_config.json`
 * @throws {AdapterError} when it is not a plain LoRA adapter, lacks factors, contains values that are not finite, or
 * its two files contradict each other
 */
export function decodePeftFolder(config: unknown, weights: Uint8Array): PeftAdapter {
  const { rankOf, alphaOf, targets, names, rsLora, baseModel } = readLoraConfig(config)
  const { factors, copies } = factorsByPeftKey(decodeSafetensors(weights).tensors)
  const adapter = adapterFromTensors(factors, (module, rank) => {
    if (!targets(module))
      throw new AdapterError(
        `${PEFT_WEIGHTS_FILE} has factors of ${module}, which target_modules, exclude_modules and layers_to_transform in ${PEFT_CONFIG_FILE} leave out, as PEFT would: the two files belong to different adapters`
      )
    if (rankOf(module) !== rank)
      throw new AdapterError(`${module} has rank ${rank}, but ${PEFT_CONFIG_FILE} says ${rankOf(module)}`)
    return alphaOf(module)
  })
  const damaged = adapter.pairs.find((pair) => !isFinitePair(pair))
  if (damaged !== undefined)
    throw new AdapterError(
      `the factors of ${damaged.module} contain NaN or infinity: the training of the adapter diverged, or the file is damaged`
    )
  return { adapter, rsLora, baseModel, names, copies }
}

/** The factors of a file under PEFT's keys, whatever keys the file uses. */
function factorsByPeftKey(tensors: TensorMap): {
  readonly factors: Map<string, Tensor>
  readonly copies: Map<string, Tensor>
} {
  if (tensors.size === 0)
    throw new AdapterError(
      `${PEFT_WEIGHTS_FILE} contains no factors: the adapter was saved without its weights, as DeepSpeed's ZeRO-3 does unless they are gathered first`
    )
  const factors = new Map<string, Tensor>()
  const copies = new Map<string, Tensor>()
  let adapterName: string | undefined
  for (const [key, tensor] of tensors) {
    const read = readForeignKey(key)
    if ('copyOf' in read) {
      copies.set(read.copyOf, tensor)
      continue
    }
    if ('fault' in read) throw new AdapterError(`${JSON.stringify(key.slice(0, 200))} ${read.fault}`)
    adapterName ??= read.adapterName
    if (read.adapterName !== undefined && read.adapterName !== adapterName)
      throw new AdapterError(
        `the file contains two adapters, ${adapterName} and ${read.adapterName}: save one of them alone`
      )
    const own = peftKey(read.module, read.factor)
    if (factors.has(own)) throw new AdapterError(`${JSON.stringify(key.slice(0, 200))} is repeated`)
    factors.set(own, tensor)
  }
  return { factors, copies }
}
