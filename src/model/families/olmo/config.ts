import type { z } from 'zod'
import { readConfig, refuseKey, requireModelType } from '../shared/config-reader.ts'
import type { DecoderConfig } from '../shared/decoder/index.ts'
import {
  decoderBaseJson,
  decoderSchema,
  FULL,
  layerWindows,
  localPart,
  readActivation,
  readDecoderBase,
  readDecoderRope,
  refuseOtherKeys,
  ropeByLayerJson,
  ropePart,
  SILU,
  SLIDING,
  slidingLayers
} from '../shared/decoder/keys.ts'
import { readRopeByLayer } from '../shared/rope-keys.ts'

export const OLMO_MODEL_TYPES = ['olmo2', 'olmo3'] as const
export type OlmoModelType = (typeof OLMO_MODEL_TYPES)[number]

/** Shape and constants of an OLMo 2 or 3. */
export interface OlmoConfig extends DecoderConfig {
  readonly family: 'olmo'
  readonly modelType: OlmoModelType
}

const configSchema = decoderSchema(['hidden_act', 'attention_bias', 'sliding_window', 'layer_types'], {})
type RawConfig = z.output<typeof configSchema>

/** What transformers assumes where config.json says nothing. */
const DEFAULTS = { max_position_embeddings: 2048, rms_norm_eps: 1e-5, tie_word_embeddings: false }
const WINDOW = 4096
const THETA_3 = 500_000
/** Every so many layers of OLMo 3 see the whole text. */
const PERIOD = 4

/**
 * Reads a Hugging Face config.json of OLMo 2 or 3.
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseOlmoConfig(json: unknown): OlmoConfig {
  const raw = readConfig(configSchema, json)
  const modelType = requireModelType(raw.model_type, OLMO_MODEL_TYPES)
  const ignored = modelType === 'olmo2' ? ['sliding_window', 'layer_types'] : []
  refuseOtherKeys(json, Object.keys(configSchema.shape), { ignored })
  readActivation('hidden_act', raw.hidden_act, SILU)
  const base = readDecoderBase(raw, DEFAULTS, raw.head_dim)
  const bias = raw.attention_bias ?? false
  return {
    ...base,
    family: 'olmo',
    modelType,
    attentionBias: bias,
    outputBias: bias,
    queryKeyNorm: 'all-heads',
    ...(modelType === 'olmo2' ? readDecoderRope(raw, base) : thirdPart(raw, base))
  }
}

/** What OLMo 3 has beside OLMo 2: windows, in whose layers rotations are not stretched. */
function thirdPart(raw: RawConfig, base: Pick<DecoderConfig, 'layers' | 'maxPositions' | 'headSize'>) {
  const slides = slidingLayers(raw.layer_types, base.layers, (index) => (index + 1) % PERIOD !== 0)
  // transformers 5 gives rope_theta of older files to the other layers alone, transformers 4 to all.
  if (raw.rope_theta && raw.rope_theta !== THETA_3)
    refuseKey('rope_theta', raw.rope_theta, `${THETA_3}, or rope_parameters for each kind of layer`)
  const { full, local } = readRopeByLayer(raw, { ...base, theta: THETA_3 }, THETA_3)
  const window = raw.sliding_window === undefined ? WINDOW : raw.sliding_window
  const windows = layerWindows(slides, window, base.maxPositions)
  return {
    ...ropePart(full),
    localRope: { ...localPart(local), layers: slides },
    ...(windows && { windows })
  }
}

/** The config.json that `parseOlmoConfig` reads back into `config`. */
export function olmoConfigJson(config: OlmoConfig): Record<string, unknown> {
  const { modelType, windows, localRope } = config
  const { rope_theta, rope_scaling, ...base } = decoderBaseJson(config)
  return {
    architectures: [modelType === 'olmo2' ? 'Olmo2ForCausalLM' : 'Olmo3ForCausalLM'],
    model_type: modelType,
    ...base,
    head_dim: config.headSize,
    hidden_act: 'silu',
    attention_bias: config.attentionBias,
    ...(localRope === undefined
      ? { rope_theta, ...(config.ropeScaling && { rope_scaling }) }
      : {
          rope_parameters: ropeByLayerJson(config, localRope),
          sliding_window: windows?.find((window) => window !== null) ?? config.maxPositions,
          layer_types: localRope.layers.map((isSliding) => (isSliding ? SLIDING : FULL))
        })
  }
}
