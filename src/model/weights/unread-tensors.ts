import { familyOf, type ModelConfig } from '../families/index.ts'

/** Maximum number of names in a message. */
const LISTED_MAX = 4

/** What is known about a tensor before it is read. */
export interface NamedShape {
  /** As `parameterNames` has it. */
  readonly name: string
  readonly shape: readonly number[]
}

/**
 * Describes the tensors in the weight files that are neither parameters of the model nor known to be harmless.
 *
 * @returns a sentence that lists their names, with what to do; undefined if there are none
 */
export function unreadTensors(config: ModelConfig, tensors: readonly NamedShape[]): string | undefined {
  const idleTensors = familyOf(config).idleTensors(config)
  const unread = tensors
    .filter(({ name, shape }) => !idleTensors.some(({ isIdle }) => isIdle(name, shape)))
    .map(({ name }) => name)
    .sort()
  if (unread.length === 0) return undefined
  const more = unread.length > LISTED_MAX ? ` and ${unread.length - LISTED_MAX} more` : ''
  const hint = HINTS.find(([pattern]) => unread.some((name) => pattern.test(name)))?.[1] ?? OTHER_MODEL
  return `the weight files have tensors that config.json does not describe, and without which the model would compute different results: ${unread.slice(0, LISTED_MAX).join(', ')}${more}; ${hint}`
}

const OTHER_MODEL =
  'config.json belongs to another model, or this kind of model is not supported: compare both with their source'
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /\.lora_[AB]\.|\.base_layer\.|\.modules_to_save\./,
    'they contain an adapter that was not merged: save the model after merge_and_unload()'
  ],
  [
    /^(?:score|classifier|regression_head|multiple_choice_head)\./,
    'the head of the model does not predict tokens'
  ],
  [
    /\.(?:qweight|qzeros|scales|g_idx|weight_scale|weight_scale_inv|absmax|quant_map|nested_absmax)$/,
    'they are quantised: use the folder of the unquantised model'
  ],
  [/\.[qkvo]_proj\.bias$/, 'if the biases belong to it, model_type is qwen2, or attention_bias is true'],
  [/\.(?:gate|up|down)_proj\.bias$/, 'if the biases belong to it, model_type is llama and mlp_bias is true'],
  [
    /\.[qk]_norm\.weight$/,
    'queries and keys are normalised in them: model_type is qwen3, or another that is not supported'
  ],
  [/^(?:model\.layers|transformer\.h)\.\d+\./, 'is num_hidden_layers (or n_layer) of config.json right?']
]
