import { z } from 'zod'
import { compareStrings } from '../../formats/compare-strings.ts'
import type { ElementFormat } from '../../formats/elements/element-formats.ts'
import { decodeSafetensors, encodeSafetensors } from '../../formats/safetensors/safetensors.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import type { LoraAdapter } from '../pair/lora-adapter.ts'
import { adapterFromTensors, adapterTensors } from './adapter-tensors.ts'

/** File names of a PEFT folder. */
export const PEFT_CONFIG_FILE = 'adapter_config.json'
export const PEFT_WEIGHTS_FILE = 'adapter_model.safetensors'

const numberByPattern = z.record(z.string(), z.number().positive()).nullish()

/** What is read of an `adapter_config.json`; PEFT writes many more fields, which have no effect on the weights. */
const peftConfigSchema = z.looseObject({
  peft_type: z.literal('LORA'),
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  rank_pattern: numberByPattern,
  alpha_pattern: numberByPattern,
  use_rslora: z.boolean().nullish(),
  use_dora: z.literal(false, 'DoRA adapters are not read').nullish(),
  bias: z.literal('none', 'adapters that train biases are not read').nullish(),
  base_model_name_or_path: z.string().nullish()
})

/** An adapter folder of PEFT (Hugging Face) as values. */
export interface PeftFolder {
  /** Contents of `adapter_config.json`, ready for JSON.stringify. */
  readonly config: Readonly<Record<string, unknown>>
  /** Contents of `adapter_model.safetensors`. */
  readonly weights: Uint8Array
}

/** What a PEFT folder says. */
export interface PeftAdapter {
  readonly adapter: LoraAdapter
  /** Whether the scale is alpha / √rank. */
  readonly rsLora: boolean
  readonly baseModel: string | undefined
}

/**
 * Writes an adapter in the form that PEFT and the tools around it load. A stack (alpha = rank) gets scale 1.
 *
 * @param baseModel what `base_model_name_or_path` shall say
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
    fan_in_fan_out: false,
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
 * @throws {AdapterError} when it is no LoRA adapter, a rank differs from the config's, or a pattern is a real regular
 *   expression (only module names and their dotted endings are matched)
 */
export function decodePeftFolder(config: unknown, weights: Uint8Array): PeftAdapter {
  const parsed = peftConfigSchema.safeParse(config)
  if (!parsed.success) throw new AdapterError(`${PEFT_CONFIG_FILE}: ${z.prettifyError(parsed.error)}`)
  const { r, lora_alpha, rank_pattern, alpha_pattern, use_rslora, base_model_name_or_path } = parsed.data
  const adapter = adapterFromTensors(decodeSafetensors(weights).tensors, (module, rank) => {
    const stated = matchPattern(rank_pattern ?? {}, module) ?? r
    if (stated !== rank)
      throw new AdapterError(`${module} has rank ${rank}, ${PEFT_CONFIG_FILE} says ${stated}`)
    return matchPattern(alpha_pattern ?? {}, module) ?? lora_alpha
  })
  return { adapter, rsLora: use_rslora ?? false, baseModel: base_model_name_or_path ?? undefined }
}

/** PEFT takes the first pattern that equals the module's name or its ending after a dot. */
function matchPattern(values: Readonly<Record<string, number>>, module: string): number | undefined {
  for (const [pattern, value] of Object.entries(values)) {
    // A stranger's regular expression could also keep the matcher busy for ever.
    if (!/^[\w.-]+$/.test(pattern))
      throw new AdapterError(`the pattern ${JSON.stringify(pattern)} is not read`)
    if (module === pattern || module.endsWith(`.${pattern}`)) return value
  }
  return undefined
}
