import { z } from 'zod'
import { count, readConfig, refuseKey } from '../shared/config-reader.ts'
import type { DecoderConfig } from '../shared/decoder/index.ts'
import {
  decoderBaseJson,
  decoderSchema,
  FULL,
  readDecoderBase,
  readDecoderRope,
  refuseOtherKeys
} from '../shared/decoder/keys.ts'

/** Shape and constants of an LFM2. */
export interface Lfm2Config extends DecoderConfig {
  readonly family: 'lfm2'
}

const positive = z.number().positive()
const configSchema = decoderSchema(['layer_types'], {
  norm_eps: positive.nullish(),
  theta: positive.nullish(),
  tie_embedding: z.boolean().nullish(),
  conv_bias: z.boolean().nullish(),
  conv_L_cache: count.nullish(),
  block_ff_dim: count.nullish(),
  block_multiple_of: count.nullish(),
  block_ffn_dim_multiplier: positive.nullish(),
  block_auto_adjust_ff_dim: z.boolean().nullish(),
  full_attn_idxs: z.array(z.number().int().nonnegative()).nullish()
})
type RawConfig = z.output<typeof configSchema>

/** What transformers assumes where config.json says nothing. */
const DEFAULTS = {
  num_key_value_heads: 8,
  max_position_embeddings: 128_000,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true
}
const THETA = 1_000_000
const WIDTH = 3
const MULTIPLE = 256
const CONVOLUTION = 'conv'
/** Notes of the makers' own training code. */
const IGNORED = [
  ...['rms_norm_eps', 'block_dim', 'block_mlp_init_scale', 'block_norm_eps', 'block_out_init_scale'],
  ...['block_use_swiglu', 'block_use_xavier_init', 'conv_dim', 'conv_dim_out', 'conv_use_xavier_init'],
  ...['num_heads', 'use_pos_enc']
]

/**
 * Reads a Hugging Face config.json of LFM2.
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseLfm2Config(json: unknown): Lfm2Config {
  const raw = readConfig(configSchema, json)
  refuseOtherKeys(json, Object.keys(configSchema.shape), { ignored: IGNORED })
  const read = {
    ...raw,
    rms_norm_eps: raw.norm_eps,
    intermediate_size: feedForwardSize(raw),
    tie_word_embeddings: raw.tie_embedding ?? raw.tie_word_embeddings
  }
  const base = readDecoderBase(read, DEFAULTS, raw.head_dim)
  const rope = readDecoderRope(raw, base, { theta: THETA })
  if (raw.theta && raw.theta !== rope.ropeTheta)
    refuseKey('theta', raw.theta, `${rope.ropeTheta}, as rope_theta`)
  const layers = convolutionLayers(raw, base.layers)
  return {
    ...base,
    family: 'lfm2',
    ...rope,
    attentionBias: false,
    outputBias: false,
    queryKeyNorm: true,
    ...(layers.includes(true) && {
      convolution: { width: raw.conv_L_cache ?? WIDTH, bias: raw.conv_bias ?? false, layers }
    })
  }
}

/** Two thirds of what the file says, rounded up to whole blocks, unless it says otherwise. */
function feedForwardSize(raw: RawConfig): number {
  const given = raw.block_ff_dim ?? raw.intermediate_size
  if (given == null) return refuseKey('intermediate_size', null, 'a whole number above 0')
  if (raw.block_auto_adjust_ff_dim === false) return given
  const adjusted = Math.floor((2 * given) / 3)
  if (raw.block_ffn_dim_multiplier === null) return adjusted
  const multiple = raw.block_multiple_of ?? MULTIPLE
  return multiple * Math.ceil(Math.floor((raw.block_ffn_dim_multiplier ?? 1) * adjusted) / multiple)
}

function convolutionLayers(
  { layer_types: types, full_attn_idxs: full }: RawConfig,
  layers: number
): boolean[] {
  if (!types) return Array.from({ length: layers }, (_, index) => full != null && !full.includes(index))
  const other = types.find((type) => type !== FULL && type !== CONVOLUTION)
  if (other !== undefined) refuseKey('layer_types', other, `${FULL}, ${CONVOLUTION}`)
  if (types.length !== layers) refuseKey('layer_types', types, `one for each of num_hidden_layers ${layers}`)
  return types.map((type) => type === CONVOLUTION)
}

/** The config.json that `parseLfm2Config` reads back into `config`. */
export function lfm2ConfigJson(config: Lfm2Config): Record<string, unknown> {
  const { layers, convolution } = config
  const { rms_norm_eps, ...base } = decoderBaseJson(config)
  return {
    architectures: ['Lfm2ForCausalLM'],
    model_type: 'lfm2',
    ...base,
    head_dim: config.headSize,
    norm_eps: rms_norm_eps,
    block_auto_adjust_ff_dim: false,
    ...(convolution && { conv_L_cache: convolution.width, conv_bias: convolution.bias }),
    layer_types: Array.from({ length: layers }, (_, index) =>
      convolution?.layers[index] ? CONVOLUTION : FULL
    )
  }
}
