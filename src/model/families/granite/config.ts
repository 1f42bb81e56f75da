import { z } from 'zod'
import { count, readConfig, refuseKey, requireModelType } from '../shared/config-reader.ts'
import type { DecoderConfig } from '../shared/decoder/index.ts'
import {
  decoderBaseJson,
  decoderSchema,
  readActivation,
  readDecoderBase,
  readDecoderRope,
  refuseOtherKeys,
  SILU
} from '../shared/decoder/keys.ts'

export const GRANITE_MODEL_TYPES = ['granite', 'granitemoehybrid'] as const
export type GraniteModelType = (typeof GRANITE_MODEL_TYPES)[number]

/** Shape and constants of a Granite 3, or of a Granite 4 without experts and state-space layers. */
export interface GraniteConfig extends DecoderConfig {
  readonly family: 'granite'
  readonly modelType: GraniteModelType
}

const factor = z.number().positive().nullish()
const configSchema = decoderSchema(['hidden_act', 'attention_bias', 'mlp_bias', 'layer_types'], {
  embedding_multiplier: factor,
  attention_multiplier: factor,
  residual_multiplier: factor,
  logits_scaling: factor,
  shared_intermediate_size: count.nullish(),
  num_local_experts: z.number().int().nonnegative().nullish(),
  layers_block_type: z.array(z.string()).nullish(),
  position_embedding_type: z.string().nullish()
})
type RawConfig = z.output<typeof configSchema>

/** What transformers assumes where config.json says nothing. */
const DEFAULTS = { max_position_embeddings: 2048, rms_norm_eps: 1e-6, tie_word_embeddings: false }
const HYBRID_INTERMEDIATE = 1024
const HYBRID_KEYS = [
  'shared_intermediate_size',
  'num_local_experts',
  'layer_types',
  'layers_block_type',
  'position_embedding_type'
]
/** Of layers and experts that a dense model does not have. */
const OTHER_LAYERS = [
  ...['mamba_n_heads', 'mamba_n_groups', 'mamba_d_state', 'mamba_d_head', 'mamba_d_conv', 'mamba_expand'],
  ...['mamba_chunk_size', 'mamba_conv_bias', 'mamba_proj_bias', 'time_step_limit', 'time_step_min'],
  ...['time_step_max', 'time_step_floor', 'num_experts_per_tok', 'output_router_logits', 'init_method'],
  ...['normalization_function', 'mlp_bias']
]

/**
 * Reads a Hugging Face config.json of Granite 3, or of a dense Granite 4.
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseGraniteConfig(json: unknown): GraniteConfig {
  const raw = readConfig(configSchema, json)
  const modelType = requireModelType(raw.model_type, GRANITE_MODEL_TYPES)
  const isHybrid = modelType === 'granitemoehybrid'
  refuseOtherKeys(json, Object.keys(configSchema.shape), { ignored: isHybrid ? OTHER_LAYERS : HYBRID_KEYS })
  readActivation('hidden_act', raw.hidden_act, SILU)
  const intermediate_size = isHybrid
    ? (raw.shared_intermediate_size ?? HYBRID_INTERMEDIATE)
    : raw.intermediate_size
  const base = readDecoderBase({ ...raw, intermediate_size }, DEFAULTS, raw.head_dim)
  if (isHybrid) requireDense(raw, base.layers)
  const bias = raw.attention_bias ?? false
  const isUnrotated = isHybrid && raw.position_embedding_type !== 'rope'
  return {
    ...base,
    family: 'granite',
    modelType,
    ...readDecoderRope(raw, base),
    attentionBias: bias,
    outputBias: bias,
    ...(!isHybrid && raw.mlp_bias && { feedForwardBias: true }),
    ...(isUnrotated && { unrotated: Array.from({ length: base.layers }, () => true) }),
    embeddingScale: raw.embedding_multiplier ?? 1,
    attentionScale: raw.attention_multiplier ?? 1,
    residualScale: raw.residual_multiplier ?? 1,
    hiddenScale: 1 / (raw.logits_scaling ?? 1)
  }
}

function requireDense(raw: RawConfig, layers: number): void {
  const experts = raw.num_local_experts ?? 8
  if (experts > 0) refuseKey('num_local_experts', experts, '0, a model without experts')
  const key = raw.layer_types ? 'layer_types' : 'layers_block_type'
  const types = raw.layer_types ?? raw.layers_block_type
  if (!types) refuseKey('layer_types', null, 'attention in all layers')
  const other = types?.find((type) => type !== 'attention' && type !== 'full_attention')
  if (other !== undefined) refuseKey(key, other, 'attention in all layers')
  if (types?.length !== layers) refuseKey(key, types, `one for each of num_hidden_layers ${layers}`)
}

/** The config.json that `parseGraniteConfig` reads back into `config`. */
export function graniteConfigJson(config: GraniteConfig): Record<string, unknown> {
  const isHybrid = config.modelType === 'granitemoehybrid'
  return {
    architectures: [isHybrid ? 'GraniteMoeHybridForCausalLM' : 'GraniteForCausalLM'],
    model_type: config.modelType,
    ...decoderBaseJson(config),
    head_dim: config.headSize,
    hidden_act: 'silu',
    attention_bias: config.attentionBias,
    embedding_multiplier: config.embeddingScale,
    attention_multiplier: config.attentionScale,
    residual_multiplier: config.residualScale,
    logits_scaling: 1 / (config.hiddenScale ?? 1),
    ...(isHybrid
      ? {
          shared_intermediate_size: config.intermediateSize,
          num_local_experts: 0,
          layer_types: Array.from({ length: config.layers }, () => 'attention'),
          position_embedding_type: config.unrotated ? null : 'rope'
        }
      : { mlp_bias: config.feedForwardBias ?? false })
  }
}
