import { z } from 'zod'
import { count, readConfig, refuseKey } from '../shared/config-reader.ts'
import type { DecoderConfig } from '../shared/decoder/index.ts'
import {
  decoderBaseJson,
  decoderSchema,
  FULL,
  layerWindows,
  readActivation,
  readDecoderBase,
  readDecoderRope,
  refuseOtherKeys,
  SILU,
  SLIDING,
  slidingLayers
} from '../shared/decoder/keys.ts'

/** Shape and constants of a SmolLM3. */
export interface SmolLm3Config extends DecoderConfig {
  readonly family: 'smollm3'
}

const configSchema = decoderSchema(
  ['hidden_act', 'attention_bias', 'mlp_bias', 'sliding_window', 'layer_types'],
  {
    use_sliding_window: z.boolean().nullish(),
    no_rope_layers: z.array(z.union([z.literal(0), z.literal(1)])).nullish(),
    no_rope_layer_interval: count.nullish()
  }
)
type RawConfig = z.output<typeof configSchema>

/** What transformers assumes where config.json says nothing. */
const DEFAULTS = {
  num_key_value_heads: 4,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true
}
const THETA = 2_000_000
const INTERVAL = 4
const IGNORED = ['max_window_layers']

/**
 * Reads a Hugging Face config.json of SmolLM3.
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseSmolLm3Config(json: unknown): SmolLm3Config {
  const raw = readConfig(configSchema, json)
  refuseOtherKeys(json, Object.keys(configSchema.shape), { ignored: IGNORED })
  readActivation('hidden_act', raw.hidden_act, SILU)
  const base = readDecoderBase(raw, DEFAULTS, raw.head_dim)
  const rotated = rotatedLayers(raw, base.layers)
  const windows = windowsOf(raw, rotated, base.maxPositions)
  const bias = raw.attention_bias ?? false
  return {
    ...base,
    family: 'smollm3',
    ...readDecoderRope(raw, base, { theta: THETA }),
    attentionBias: bias,
    outputBias: bias,
    ...(raw.mlp_bias && { feedForwardBias: true }),
    ...(rotated.includes(false) && { unrotated: rotated.map((isRotated) => !isRotated) }),
    ...(windows && { windows })
  }
}

function rotatedLayers(
  { no_rope_layers: flags, no_rope_layer_interval }: RawConfig,
  layers: number
): boolean[] {
  const interval = no_rope_layer_interval ?? INTERVAL
  if (!flags) return Array.from({ length: layers }, (_, index) => (index + 1) % interval !== 0)
  if (flags.length < layers) refuseKey('no_rope_layers', flags, `one for each of num_hidden_layers ${layers}`)
  return flags.slice(0, layers).map((flag) => flag === 1)
}

function windowsOf(raw: RawConfig, rotated: readonly boolean[], maxPositions: number) {
  const isOn = raw.use_sliding_window === true && raw.sliding_window != null
  const slides = slidingLayers(raw.layer_types, rotated.length, (index) => isOn && !rotated[index])
  if (slides.includes(true) && !isOn)
    refuseKey('layer_types', SLIDING, `${FULL}, unless use_sliding_window is true`)
  return layerWindows(slides, raw.sliding_window, maxPositions)
}

/** The config.json that `parseSmolLm3Config` reads back into `config`. */
export function smolLm3ConfigJson(config: SmolLm3Config): Record<string, unknown> {
  const { layers, unrotated, windows } = config
  return {
    architectures: ['SmolLM3ForCausalLM'],
    model_type: 'smollm3',
    ...decoderBaseJson(config),
    head_dim: config.headSize,
    hidden_act: 'silu',
    attention_bias: config.attentionBias,
    mlp_bias: config.feedForwardBias ?? false,
    no_rope_layers: Array.from({ length: layers }, (_, index) => (unrotated?.[index] ? 0 : 1)),
    use_sliding_window: windows !== undefined,
    sliding_window: windows?.find((window) => window !== null) ?? null,
    layer_types: Array.from({ length: layers }, (_, index) => (windows?.[index] ? SLIDING : FULL))
  }
}
