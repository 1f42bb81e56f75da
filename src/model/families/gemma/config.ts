import { z } from 'zod'
import { count, readConfig, requireModelType } from '../shared/config-reader.ts'
import type { DecoderConfig } from '../shared/decoder/index.ts'
import {
  decoderBaseJson,
  decoderSchema,
  FULL,
  layerWindows,
  localPart,
  readActivation,
  readDecoderBase,
  refuseOtherKeys,
  ropeByLayerJson,
  ropePart,
  SLIDING,
  slidingLayers
} from '../shared/decoder/keys.ts'
import { readRope, readRopeByLayer } from '../shared/rope-keys.ts'

export const GEMMA_MODEL_TYPES = ['gemma', 'gemma2', 'gemma3_text'] as const
export type GemmaModelType = (typeof GEMMA_MODEL_TYPES)[number]

/** Shape and constants of a Gemma. */
export interface GemmaConfig extends DecoderConfig {
  readonly family: 'gemma'
  readonly modelType: GemmaModelType
}

const bound = z.number().positive().nullish()
const configSchema = decoderSchema(['hidden_act', 'attention_bias', 'sliding_window', 'layer_types'], {
  hidden_activation: z.string().nullish(),
  query_pre_attn_scalar: count.nullish(),
  attn_logit_softcapping: bound,
  final_logit_softcapping: bound,
  sliding_window_pattern: count.nullish(),
  rope_local_base_freq: z.number().positive().nullish()
})
type RawConfig = z.output<typeof configSchema>

/** GELU by its tanh approximation; of Gemma 1's files, `gelu` means it too. */
const ACTIVATIONS = ['gelu_pytorch_tanh', 'gelu_new']
const HEAD_SIZE = 256
const SHARED_DEFAULTS = { rms_norm_eps: 1e-6, tie_word_embeddings: true } as const
const LATER_SIZES = {
  ...SHARED_DEFAULTS,
  hidden_size: 2304,
  intermediate_size: 9216,
  num_hidden_layers: 26,
  num_attention_heads: 8,
  num_key_value_heads: 4
}
/** What transformers assumes where config.json says nothing, as Gemma 3's own files do of most sizes. */
const DEFAULTS = {
  gemma: { ...SHARED_DEFAULTS, num_key_value_heads: 16, max_position_embeddings: 8192 },
  gemma2: { ...LATER_SIZES, vocab_size: 256_000, max_position_embeddings: 8192 },
  gemma3_text: { ...LATER_SIZES, vocab_size: 262_208, max_position_embeddings: 131_072 }
} as const
const QUERY_SCALAR = 256
const WINDOW = 4096
const SOFT_CAPS = { attention: 50, logits: 30 }
const LOCAL_THETA = 10_000
const GLOBAL_THETA = 1_000_000
const PATTERN = 6

const ONLY_3 = ['sliding_window_pattern', 'rope_local_base_freq']
const LATER = ['query_pre_attn_scalar', 'attn_logit_softcapping', 'final_logit_softcapping', 'sliding_window']
/** Keys that only some of the three read. */
const IGNORED: Readonly<Record<GemmaModelType, readonly string[]>> = {
  gemma: ['hidden_activation', 'layer_types', ...LATER, ...ONLY_3],
  gemma2: ['hidden_act', 'cache_implementation', ...ONLY_3],
  // Which is read from layer_types; the name with an underscore is what transformers 5 writes for its own use.
  gemma3_text: ['hidden_act', 'attn_logit_softcapping', '_sliding_window_pattern']
}

/**
 * Reads a Hugging Face config.json of Gemma, Gemma 2 or Gemma 3 (text).
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseGemmaConfig(json: unknown): GemmaConfig {
  const raw = readConfig(configSchema, json)
  const modelType = requireModelType(raw.model_type, GEMMA_MODEL_TYPES)
  refuseOtherKeys(json, Object.keys(configSchema.shape), { ignored: IGNORED[modelType] })
  if (modelType === 'gemma') readActivation('hidden_act', raw.hidden_act, [...ACTIVATIONS, 'gelu'])
  else readActivation('hidden_activation', raw.hidden_activation, ACTIVATIONS)
  const base = readDecoderBase(raw, DEFAULTS[modelType], raw.head_dim ?? HEAD_SIZE)
  const bias = raw.attention_bias ?? false
  const shared = {
    ...base,
    family: 'gemma',
    modelType,
    attentionBias: bias,
    outputBias: bias,
    normOffset: 1,
    activation: 'gelu',
    embeddingScale: Math.sqrt(base.hiddenSize)
  } as const
  if (modelType === 'gemma') return { ...shared, ...ropePart(readRope(raw, base)) }
  return { ...shared, ...(modelType === 'gemma2' ? secondPart(raw, base) : thirdPart(raw, base)) }
}

type Base = Pick<DecoderConfig, 'layers' | 'maxPositions' | 'headSize'>

/** What Gemma 2 has beside Gemma. */
function secondPart(raw: RawConfig, base: Base) {
  const slides = slidingLayers(raw.layer_types, base.layers, (index) => index % 2 === 0)
  const [attention, logits] = [raw.attn_logit_softcapping, raw.final_logit_softcapping]
  const cap = (given: number | null | undefined, otherwise: number): number | null =>
    given === undefined ? otherwise : given
  const [ofScores, ofLogits] = [cap(attention, SOFT_CAPS.attention), cap(logits, SOFT_CAPS.logits)]
  return {
    ...ropePart(readRope(raw, base)),
    ...windowsAndScale(raw, slides, base),
    ...(ofScores !== null && { attentionSoftCap: ofScores }),
    ...(ofLogits !== null && { logitSoftCap: ofLogits })
  }
}

/** What Gemma 3 has beside Gemma. transformers' Gemma 3 does not pass its bound on the scores on. */
function thirdPart(raw: RawConfig, base: Base) {
  const pattern = raw.sliding_window_pattern ?? PATTERN
  const slides = slidingLayers(raw.layer_types, base.layers, (index) => (index + 1) % pattern !== 0)
  const reading = { ...base, theta: GLOBAL_THETA }
  const { full, local } = readRopeByLayer(raw, reading, raw.rope_local_base_freq ?? LOCAL_THETA)
  return {
    ...ropePart(full),
    localRope: { ...localPart(local), layers: slides },
    ...windowsAndScale(raw, slides, base),
    queryKeyNorm: true,
    ...(raw.final_logit_softcapping && { logitSoftCap: raw.final_logit_softcapping })
  }
}

function windowsAndScale(raw: RawConfig, slides: readonly boolean[], { maxPositions, headSize }: Base) {
  const window = raw.sliding_window === undefined ? WINDOW : raw.sliding_window
  const windows = layerWindows(slides, window, maxPositions)
  const scalar = raw.query_pre_attn_scalar ?? QUERY_SCALAR
  return { ...(windows && { windows }), ...(scalar !== headSize && { attentionScale: scalar ** -0.5 }) }
}

/** The config.json that `parseGemmaConfig` reads back into `config`. */
export function gemmaConfigJson(config: GemmaConfig): Record<string, unknown> {
  const { modelType, windows, localRope, attentionScale = config.headSize ** -0.5 } = config
  const class_ = { gemma: 'Gemma', gemma2: 'Gemma2', gemma3_text: 'Gemma3' }[modelType]
  const slides = localRope?.layers ?? windows?.map((window) => window !== null)
  const { rope_theta, rope_scaling, ...base } = decoderBaseJson(config)
  return {
    architectures: [`${class_}ForCausalLM`],
    model_type: modelType,
    ...base,
    head_dim: config.headSize,
    [modelType === 'gemma' ? 'hidden_act' : 'hidden_activation']: 'gelu_pytorch_tanh',
    attention_bias: config.attentionBias,
    ...(localRope === undefined
      ? { rope_theta, ...(config.ropeScaling && { rope_scaling }) }
      : { rope_parameters: ropeByLayerJson(config, localRope) }),
    ...(modelType !== 'gemma' && {
      // A whole number in all files, which two roundings would miss.
      query_pre_attn_scalar: Math.round(attentionScale ** -2),
      sliding_window: windows?.find((window) => window !== null) ?? config.maxPositions,
      ...(slides && { layer_types: slides.map((isSliding) => (isSliding ? SLIDING : FULL)) }),
      final_logit_softcapping: config.logitSoftCap ?? null
    }),
    ...(modelType === 'gemma2' && { attn_logit_softcapping: config.attentionSoftCap ?? null })
  }
}
