import { z } from 'zod'
import { type FamilyKeys, refuseUnreadKeys } from '../shared/config-keys.ts'
import {
  count,
  firstId,
  layerCount,
  readConfig,
  refuseKey,
  requireModelType,
  tokenId
} from '../shared/config-reader.ts'
import type { DecoderConfig } from '../shared/decoder/index.ts'
import { readRope, ropeKeys, ropeScalingJson } from '../shared/rope-keys.ts'

/** Shape and constants of a model of the Llama family. */
export interface LlamaConfig extends DecoderConfig {
  /** Llama if absent. */
  readonly family?: 'llama'
}

/** Values of `model_type` that are read here. TinyLlama, SmolLM2 and many others say `llama`. */
export const LLAMA_MODEL_TYPES = ['llama', 'mistral', 'qwen2', 'qwen3'] as const

/** What Hugging Face's Qwen3Config assumes. */
const QWEN3_HEAD_SIZE = 128

const configSchema = z.looseObject({
  model_type: z.string(),
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: layerCount,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  max_position_embeddings: count.nullish(),
  rms_norm_eps: z.number().positive().nullish(),
  ...ropeKeys,
  hidden_act: z.string().nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  sliding_window: count.nullish(),
  use_sliding_window: z.boolean().nullish(),
  max_window_layers: z.number().int().nonnegative().nullish(),
  layer_types: z.array(z.string()).nullish(),
  bos_token_id: tokenId,
  eos_token_id: tokenId
})
type RawConfig = z.output<typeof configSchema>
type LlamaModelType = (typeof LLAMA_MODEL_TYPES)[number]

/** What transformers assumes where config.json says nothing. */
interface Defaults {
  readonly maxPositions: number
  /** As many as heads if absent. */
  readonly keyValueHeads?: number
}
const DEFAULTS: Readonly<Record<LlamaModelType, Defaults>> = {
  llama: { maxPositions: 2048 },
  mistral: { maxPositions: 131_072, keyValueHeads: 8 },
  qwen2: { maxPositions: 32_768, keyValueHeads: 32 },
  qwen3: { maxPositions: 32_768, keyValueHeads: 32 }
}
const DEFAULT_NORM_EPSILON = 1e-6
const DEFAULT_WINDOW = 4096
/** Qwen's layers from this one on have windows. */
const DEFAULT_MAX_WINDOW_LAYERS = 28

const IGNORED = "transformers' code of this model_type does not read them"
/** Keys that only some model types read. */
const KEYS: Readonly<Record<LlamaModelType, FamilyKeys>> = {
  llama: keysWithout('sliding_window', 'use_sliding_window', 'max_window_layers', 'layer_types'),
  mistral: keysWithout(
    'use_sliding_window',
    'max_window_layers',
    'layer_types',
    'attention_bias',
    'mlp_bias'
  ),
  qwen2: keysWithout('attention_bias', 'mlp_bias'),
  qwen3: keysWithout('mlp_bias')
}

function keysWithout(...ignored: readonly string[]): FamilyKeys {
  const used = Object.keys(configSchema.shape).filter((key) => !ignored.includes(key))
  return { used, harmless: [{ reason: IGNORED, keys: ignored }], refused: {} }
}

/**
 * Reads a Hugging Face config.json of the Llama family (Llama, Mistral, Qwen2, Qwen3).
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseLlamaConfig(json: unknown): LlamaConfig {
  const raw = readConfig(configSchema, json)
  const type = requireModelType(raw.model_type, LLAMA_MODEL_TYPES)
  const activation = raw.hidden_act ?? 'silu'
  if (activation !== 'silu' && activation !== 'swish') refuseKey('hidden_act', activation, 'silu')
  refuseUnreadKeys(json, KEYS[type])
  const headSize = sizeOfHeads(raw)
  const maxPositions = raw.max_position_embeddings ?? DEFAULTS[type].maxPositions
  const keyValueHeads = headsOfKeys(raw, type)
  if (raw.num_attention_heads % keyValueHeads !== 0) {
    refuseKey(
      'num_key_value_heads',
      keyValueHeads,
      `a divisor of num_attention_heads ${raw.num_attention_heads}`
    )
  }
  const bosId = firstId(raw.bos_token_id)
  const eosId = firstId(raw.eos_token_id)
  const { theta, scaling } = readRope(raw, { maxPositions, headSize })
  const windows = layerWindows(raw, type, maxPositions)
  // Mistral has no such key, and Qwen2's biases are those of q, k and v whatever it says.
  const biased = (type === 'llama' || type === 'qwen3') && (raw.attention_bias ?? false)
  return {
    vocabularySize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    layers: raw.num_hidden_layers,
    heads: raw.num_attention_heads,
    keyValueHeads,
    headSize,
    maxPositions,
    normEpsilon: raw.rms_norm_eps ?? DEFAULT_NORM_EPSILON,
    ropeTheta: theta,
    ...(scaling && { ropeScaling: scaling }),
    attentionBias: type === 'qwen2' || biased,
    outputBias: biased,
    ...(type === 'llama' && raw.mlp_bias && { feedForwardBias: true }),
    ...(type === 'qwen3' && { queryKeyNorm: true }),
    ...(windows && { windows }),
    tiedHead: raw.tie_word_embeddings ?? false,
    ...(bosId !== undefined && { bosId }),
    ...(eosId !== undefined && { eosId })
  }
}

function sizeOfHeads(raw: RawConfig): number {
  const { hidden_size, num_attention_heads, model_type } = raw
  const implied = model_type === 'qwen3' ? QWEN3_HEAD_SIZE : hidden_size / num_attention_heads
  const headSize = raw.head_dim ?? implied
  if (headSize % 2 !== 0) {
    const key = raw.head_dim ? 'head_dim' : 'head_dim (hidden_size / num_attention_heads)'
    refuseKey(key, headSize, 'an even whole number')
  }
  return headSize
}

/** Null means as many as heads; for a key that is absent transformers has a number of its own. */
function headsOfKeys({ num_key_value_heads, num_attention_heads }: RawConfig, type: LlamaModelType): number {
  if (num_key_value_heads !== undefined) return num_key_value_heads ?? num_attention_heads
  return DEFAULTS[type].keyValueHeads ?? num_attention_heads
}

/** The window of every layer, as transformers reads it; undefined where none is narrower than the model's longest text. */
function layerWindows(
  raw: RawConfig,
  type: LlamaModelType,
  maxPositions: number
): (number | null)[] | undefined {
  if (type === 'llama') return undefined
  const window = raw.sliding_window === undefined ? DEFAULT_WINDOW : raw.sliding_window
  const layers = raw.num_hidden_layers
  const slides = type === 'mistral' ? Array.from({ length: layers }, () => true) : slidingLayers(raw, window)
  if (window === null || window >= maxPositions || !slides.includes(true)) return undefined
  return slides.map((isSliding) => (isSliding ? window : null))
}

/** Which of Qwen's layers have windows. */
function slidingLayers(raw: RawConfig, window: number | null): boolean[] {
  const { layer_types: types, num_hidden_layers: layers } = raw
  const other = types?.find((type) => type !== 'full_attention' && type !== 'sliding_attention')
  if (other !== undefined) refuseKey('layer_types', other, 'full_attention, sliding_attention')
  if (types && types.length !== layers)
    refuseKey('layer_types', types, `one for each of num_hidden_layers ${layers}`)
  const isOn = raw.use_sliding_window === true && window !== null
  if (types?.includes('sliding_attention') && !isOn)
    refuseKey('layer_types', 'sliding_attention', 'full_attention, unless use_sliding_window is true')
  if (types) return types.map((type) => type === 'sliding_attention')
  const first = raw.max_window_layers ?? DEFAULT_MAX_WINDOW_LAYERS
  return Array.from({ length: layers }, (_, index) => isOn && index >= first)
}

/** The config.json that `parseLlamaConfig` reads back into `config`. */
export function llamaConfigJson(config: LlamaConfig): Record<string, unknown> {
  const type = modelType(config)
  const { windows } = config
  const window = windows?.find((size) => size !== null)
  const class_ = { llama: 'Llama', mistral: 'Mistral', qwen2: 'Qwen2', qwen3: 'Qwen3' }[type]
  return {
    architectures: [`${class_}ForCausalLM`],
    model_type: type,
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
    ...(config.ropeScaling && { rope_scaling: ropeScalingJson(config.ropeScaling) }),
    hidden_act: 'silu',
    tie_word_embeddings: config.tiedHead,
    ...((type === 'llama' || type === 'qwen3') && { attention_bias: config.attentionBias }),
    ...(type === 'llama' && { mlp_bias: config.feedForwardBias ?? false }),
    ...(type === 'mistral' && { sliding_window: window ?? null }),
    ...(windows &&
      type !== 'mistral' && {
        sliding_window: window,
        use_sliding_window: true,
        layer_types: windows.map((size) => (size === null ? 'full_attention' : 'sliding_attention'))
      }),
    ...(config.bosId !== undefined && { bos_token_id: config.bosId }),
    ...(config.eosId !== undefined && { eos_token_id: config.eosId }),
    torch_dtype: 'float32'
  }
}

function modelType(config: LlamaConfig): LlamaModelType {
  if (config.queryKeyNorm) return 'qwen3'
  if (config.attentionBias && !config.outputBias) return 'qwen2'
  return config.windows ? 'mistral' : 'llama'
}
