import { z } from 'zod'
import { count, readConfig, refuseKey } from '../shared/config-reader.ts'
import type { DecoderConfig } from '../shared/decoder/index.ts'
import {
  decoderBaseJson,
  decoderSchema,
  layerWindows,
  readActivation,
  readDecoderBase,
  readDecoderRope,
  refuseOtherKeys,
  SILU
} from '../shared/decoder/keys.ts'

/** Shape and constants of a Ministral 3. */
export interface MinistralConfig extends DecoderConfig {
  readonly family: 'ministral'
}

const configSchema = decoderSchema(['hidden_act', 'sliding_window'], {})

/** What transformers assumes where config.json says nothing. */
const DEFAULTS = {
  vocab_size: 131_072,
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 34,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  max_position_embeddings: 262_144,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false
}
const HEAD_SIZE = 128
/** Keys of `rope_parameters` beside those of all models: the second repeats the model's own. */
const OWN_KEYS = ['llama_4_scaling_beta', 'max_position_embeddings']
const growthSchema = z.looseObject({
  llama_4_scaling_beta: z.number().nonnegative(),
  original_max_position_embeddings: count
})

/**
 * Reads a Hugging Face config.json of Ministral 3 (text).
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseMinistralConfig(json: unknown): MinistralConfig {
  const raw = readConfig(configSchema, json)
  refuseOtherKeys(json, Object.keys(configSchema.shape), { ignored: ['layer_types'] })
  readActivation('hidden_act', raw.hidden_act, SILU)
  const base = readDecoderBase(raw, DEFAULTS, raw.head_dim ?? HEAD_SIZE)
  const settings = raw.rope_parameters ?? raw.rope_scaling
  const growth = growthSchema.safeParse(settings)
  if (!growth.success)
    return refuseKey(
      'rope_parameters',
      settings ?? null,
      'an object with llama_4_scaling_beta and original_max_position_embeddings'
    )
  const { llama_4_scaling_beta: beta, original_max_position_embeddings: positions } = growth.data
  const slides = Array.from({ length: base.layers }, () => true)
  const windows = layerWindows(slides, raw.sliding_window, base.maxPositions)
  return {
    ...base,
    family: 'ministral',
    ...readDecoderRope(raw, base, { ownKeys: OWN_KEYS }),
    attentionBias: false,
    outputBias: false,
    queryGrowth: { beta, positions },
    ...(windows && { windows })
  }
}

/** The config.json that `parseMinistralConfig` reads back into `config`. */
export function ministralConfigJson(config: MinistralConfig): Record<string, unknown> {
  const { rope_theta, rope_scaling, ...base } = decoderBaseJson(config)
  return {
    architectures: ['Ministral3ForCausalLM'],
    model_type: 'ministral3',
    ...base,
    head_dim: config.headSize,
    hidden_act: 'silu',
    rope_parameters: {
      rope_theta,
      ...(rope_scaling as object | undefined),
      llama_4_scaling_beta: config.queryGrowth?.beta ?? 0,
      original_max_position_embeddings: config.queryGrowth?.positions ?? config.maxPositions
    },
    sliding_window: config.windows?.find((window) => window !== null) ?? null
  }
}
