import { z } from 'zod'

/** Shape and constants of a model of the Llama family. */
export interface LlamaConfig {
  readonly vocabularySize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly layers: number
  readonly heads: number
  /** Heads of keys and values; a divisor of `heads` (grouped-query attention). */
  readonly keyValueHeads: number
  readonly headSize: number
  /** Longest sequence that the model was made for. */
  readonly maxPositions: number
  readonly normEpsilon: number
  readonly ropeTheta: number
  /** Whether q, k and v have biases. */
  readonly attentionBias: boolean
  /** Whether the attention's output projection has a bias. */
  readonly outputBias: boolean
  /** Whether the output head is the embedding table. */
  readonly tiedHead: boolean
  readonly bosId?: number
  readonly eosId?: number
}

/** A config.json that describes a model which cannot be run here; the message names the key. */
export class UnsupportedModelError extends Error {
  override readonly name: string = 'UnsupportedModelError'
}

const MODEL_TYPES = ['llama', 'mistral', 'qwen2']
const count = z.number().int().positive()
const tokenId = z.union([z.number().int().nonnegative(), z.array(z.number().int().nonnegative())]).nullish()
const ropeSettings = z.looseObject({
  type: z.string().nullish(),
  rope_type: z.string().nullish(),
  rope_theta: z.number().positive().nullish()
})

const configSchema = z.looseObject({
  model_type: z.string(),
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  max_position_embeddings: count,
  rms_norm_eps: z.number().positive(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: ropeSettings.nullish(),
  rope_parameters: ropeSettings.nullish(),
  hidden_act: z.string().nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  sliding_window: count.nullish(),
  use_sliding_window: z.boolean().nullish(),
  bos_token_id: tokenId,
  eos_token_id: tokenId
})

/**
 * Reads a Hugging Face config.json of the Llama family (Llama, Mistral, Qwen2).
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseLlamaConfig(json: unknown): LlamaConfig {
  const parsed = configSchema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new UnsupportedModelError(
      `config.json, ${issue?.path.join('.') || 'whole file'}: ${issue?.message}`
    )
  }
  const raw = parsed.data
  const refuse = (key: string, value: unknown, wanted: string): never => {
    throw new UnsupportedModelError(
      `config.json, ${key}: ${JSON.stringify(value)} is not supported (${wanted})`
    )
  }
  if (!MODEL_TYPES.includes(raw.model_type)) refuse('model_type', raw.model_type, MODEL_TYPES.join(', '))
  if ((raw.hidden_act ?? 'silu') !== 'silu') refuse('hidden_act', raw.hidden_act, 'silu')
  if (raw.mlp_bias) refuse('mlp_bias', true, 'false')
  for (const key of ['rope_scaling', 'rope_parameters'] as const) {
    const type = raw[key]?.rope_type ?? raw[key]?.type ?? 'default'
    if (type !== 'default') refuse(`${key}.rope_type`, type, 'default')
  }
  const slides = raw.model_type === 'mistral' || raw.use_sliding_window === true
  if (slides && raw.sliding_window && raw.sliding_window < raw.max_position_embeddings) {
    refuse(
      'sliding_window',
      raw.sliding_window,
      `null, or max_position_embeddings ${raw.max_position_embeddings}`
    )
  }
  const headSize = raw.head_dim ?? raw.hidden_size / raw.num_attention_heads
  const keyValueHeads = raw.num_key_value_heads ?? raw.num_attention_heads
  if (headSize % 2 !== 0) refuse('head_dim', headSize, 'an even whole number')
  if (raw.num_attention_heads % keyValueHeads !== 0) {
    refuse(
      'num_key_value_heads',
      keyValueHeads,
      `a divisor of num_attention_heads ${raw.num_attention_heads}`
    )
  }
  const bosId = firstId(raw.bos_token_id)
  const eosId = firstId(raw.eos_token_id)
  return {
    vocabularySize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    layers: raw.num_hidden_layers,
    heads: raw.num_attention_heads,
    keyValueHeads,
    headSize,
    maxPositions: raw.max_position_embeddings,
    normEpsilon: raw.rms_norm_eps,
    ropeTheta: raw.rope_theta ?? raw.rope_parameters?.rope_theta ?? 10_000,
    attentionBias: raw.attention_bias ?? raw.model_type === 'qwen2',
    outputBias: raw.attention_bias ?? false,
    tiedHead: raw.tie_word_embeddings ?? false,
    ...(bosId !== undefined && { bosId }),
    ...(eosId !== undefined && { eosId })
  }
}

/** The config.json that `parseLlamaConfig` reads back into `config`. */
export function llamaConfigJson(config: LlamaConfig): Record<string, unknown> {
  return {
    architectures: [config.attentionBias && !config.outputBias ? 'Qwen2ForCausalLM' : 'LlamaForCausalLM'],
    model_type: config.attentionBias && !config.outputBias ? 'qwen2' : 'llama',
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headSize,
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.ropeTheta,
    hidden_act: 'silu',
    tie_word_embeddings: config.tiedHead,
    ...(config.attentionBias === config.outputBias && { attention_bias: config.attentionBias }),
    mlp_bias: false,
    ...(config.bosId !== undefined && { bos_token_id: config.bosId }),
    ...(config.eosId !== undefined && { eos_token_id: config.eosId }),
    torch_dtype: 'float32'
  }
}

function firstId(id: number | number[] | null | undefined): number | undefined {
  return (Array.isArray(id) ? id[0] : id) ?? undefined
}
