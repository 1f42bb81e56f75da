import { readConfig } from '../shared/config-reader.ts'
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

/** Shape and constants of a Phi-3, Phi-3.5, Phi-4 or Phi-4-mini. */
export interface Phi3Config extends DecoderConfig {
  readonly family: 'phi3'
}

const configSchema = decoderSchema(['hidden_act', 'sliding_window'], {})

/** What transformers assumes where config.json says nothing. */
const DEFAULTS = { max_position_embeddings: 4096, rms_norm_eps: 1e-5, tie_word_embeddings: false }
const ORIGINAL_POSITIONS = 4096
/** Names under which the first files have longrope. */
const ALIASES = { su: 'longrope', yarn: 'longrope' }
const IGNORED = ['attention_bias', 'mlp_bias', 'lm_head_bias', 'embd_layer_norm']
const REFUSED = {
  full_attn_mod: {
    unless: [1],
    cure: "is of the folder's own code, which transformers' code does not compute"
  },
  interpolate_factor: {
    unless: [1],
    cure: "is of the folder's own code, which transformers' code does not compute"
  }
}

/**
 * Reads a Hugging Face config.json of Phi-3 and its kin.
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parsePhi3Config(json: unknown): Phi3Config {
  const raw = readConfig(configSchema, json)
  refuseOtherKeys(json, Object.keys(configSchema.shape), {
    ignored: IGNORED,
    refused: REFUSED,
    // Which the makers gave to transformers.
    ownCode: ['modeling_phi3.Phi3ForCausalLM']
  })
  readActivation('hidden_act', raw.hidden_act, SILU)
  const base = readDecoderBase(raw, DEFAULTS, raw.head_dim)
  const original_max_position_embeddings = raw.original_max_position_embeddings ?? ORIGINAL_POSITIONS
  const slides = Array.from({ length: base.layers }, () => true)
  const windows = layerWindows(slides, raw.sliding_window, base.maxPositions)
  return {
    ...base,
    family: 'phi3',
    ...readDecoderRope({ ...raw, original_max_position_embeddings }, base, {
      isPartial: true,
      aliases: ALIASES
    }),
    attentionBias: false,
    outputBias: false,
    ...(windows && { windows })
  }
}

/** The config.json that `parsePhi3Config` reads back into `config`. */
export function phi3ConfigJson(config: Phi3Config): Record<string, unknown> {
  const { headSize, rotarySize = headSize, windows, ropeScaling } = config
  return {
    architectures: ['Phi3ForCausalLM'],
    model_type: 'phi3',
    ...decoderBaseJson(config),
    head_dim: headSize,
    hidden_act: 'silu',
    partial_rotary_factor: rotarySize / headSize,
    ...(ropeScaling?.kind === 'longrope' && {
      original_max_position_embeddings: ropeScaling.originalMaxPositions
    }),
    sliding_window: windows?.find((window) => window !== null) ?? null
  }
}
