import { z } from 'zod'
import { type FamilyKeys, refuseUnreadKeys } from '../config-keys.ts'
import { count, firstId, layerCount, refuseKey, tokenId } from '../config-reader.ts'
import type { Rope } from '../rope.ts'
import { type ReadRope, type RopeReading, readRope, ropeKeys, ropeScalingJson } from '../rope-keys.ts'
import type { DecoderConfig } from './config.ts'

const scale = z.number().positive()

/** Keys of config.json that all decoders have; each may be left to the family's default. */
const decoderKeys = {
  model_type: z.string(),
  vocab_size: count.nullish(),
  hidden_size: count.nullish(),
  intermediate_size: count.nullish(),
  num_hidden_layers: layerCount.nullish(),
  num_attention_heads: count.nullish(),
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  max_position_embeddings: count.nullish(),
  rms_norm_eps: scale.nullish(),
  ...ropeKeys,
  tie_word_embeddings: z.boolean().nullish(),
  bos_token_id: tokenId,
  eos_token_id: tokenId
}
const baseSchema = z.looseObject(decoderKeys)
type DecoderKeys = z.output<typeof baseSchema>

/** Keys that several families read. */
const SHARED_KEYS = {
  hidden_act: z.string().nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  sliding_window: count.nullish(),
  layer_types: z.array(z.string()).nullish()
}
type SharedKeys = typeof SHARED_KEYS

/**
 * The schema of a family's config.json.
 *
 * @param shared keys that the family reads beside those of all decoders
 * @param own keys that no other family reads, or not in this way
 */
export function decoderSchema<Key extends keyof SharedKeys, Own extends z.core.$ZodLooseShape>(
  shared: readonly Key[],
  own: Own
) {
  const picked = Object.fromEntries(shared.map((key) => [key, SHARED_KEYS[key]])) as Pick<SharedKeys, Key>
  return z.looseObject({ ...decoderKeys, ...picked, ...own })
}

/** What transformers assumes where config.json says nothing; a size without a default has to be there. */
export interface DecoderDefaults {
  readonly vocab_size?: number
  readonly hidden_size?: number
  readonly intermediate_size?: number
  readonly num_hidden_layers?: number
  readonly num_attention_heads?: number
  /** As many as heads if absent. */
  readonly num_key_value_heads?: number
  readonly max_position_embeddings: number
  readonly rms_norm_eps: number
  readonly tie_word_embeddings: boolean
}

/** What is read in the same way in all families. */
export type DecoderBase = Pick<
  DecoderConfig,
  | 'vocabularySize'
  | 'hiddenSize'
  | 'intermediateSize'
  | 'layers'
  | 'heads'
  | 'keyValueHeads'
  | 'headSize'
  | 'maxPositions'
  | 'normEpsilon'
  | 'tiedHead'
  | 'bosId'
  | 'eosId'
>

/**
 * Sizes, tokens and the like.
 *
 * @param headSize that the file names or the family fixes; hidden size by heads if absent
 * @throws {UnsupportedModelError} naming the key that is missing or does not fit another
 */
export function readDecoderBase(
  raw: DecoderKeys,
  defaults: DecoderDefaults,
  headSize?: number | null
): DecoderBase {
  const size = (key: keyof DecoderDefaults & keyof DecoderKeys): number => {
    const value = raw[key] ?? defaults[key]
    return typeof value === 'number' ? value : refuseKey(key, value ?? null, 'a whole number above 0')
  }
  const heads = size('num_attention_heads')
  const given = raw.num_key_value_heads === undefined ? defaults.num_key_value_heads : raw.num_key_value_heads
  const keyValueHeads = given ?? heads
  if (heads % keyValueHeads !== 0)
    refuseKey('num_key_value_heads', keyValueHeads, `a divisor of num_attention_heads ${heads}`)
  const ofHead = headSize ?? size('hidden_size') / heads
  if (ofHead % 2 !== 0) refuseKey('head_dim', ofHead, 'an even whole number')
  const bosId = firstId(raw.bos_token_id)
  const eosId = firstId(raw.eos_token_id)
  return {
    vocabularySize: size('vocab_size'),
    hiddenSize: size('hidden_size'),
    intermediateSize: size('intermediate_size'),
    layers: size('num_hidden_layers'),
    heads,
    keyValueHeads,
    headSize: ofHead,
    maxPositions: size('max_position_embeddings'),
    normEpsilon: size('rms_norm_eps'),
    tiedHead: raw.tie_word_embeddings ?? defaults.tie_word_embeddings,
    ...(bosId !== undefined && { bosId }),
    ...(eosId !== undefined && { eosId })
  }
}

/** The part of a config that says how positions are rotated, the same in all layers. */
export function readDecoderRope(
  raw: DecoderKeys,
  { maxPositions, headSize }: DecoderBase,
  reading: Omit<RopeReading, 'maxPositions' | 'headSize'> = {}
): Pick<DecoderConfig, 'ropeTheta' | 'ropeScaling' | 'rotarySize'> {
  return ropePart(readRope(raw, { ...reading, maxPositions, headSize }))
}

/** A rotation as a part of a config. */
export function ropePart({
  theta,
  scaling,
  rotarySize
}: ReadRope): Pick<DecoderConfig, 'ropeTheta' | 'ropeScaling' | 'rotarySize'> {
  return {
    ropeTheta: theta,
    ...(scaling && { ropeScaling: scaling }),
    ...(rotarySize !== undefined && { rotarySize })
  }
}

/** What a family says of keys that it does not read. */
export interface OtherKeys {
  /** Keys of which transformers' code of the model_type reads none. */
  readonly ignored?: readonly string[]
  readonly refused?: FamilyKeys['refused']
  readonly ownCode?: FamilyKeys['ownCode']
}

/**
 * Refuses keys that the family does not read.
 *
 * @throws {UnsupportedModelError} naming every such key
 */
export function refuseOtherKeys(
  json: unknown,
  used: readonly string[],
  { ignored = [], refused = {}, ownCode }: OtherKeys = {}
): void {
  const reason = "transformers' code of this model_type does not read them"
  refuseUnreadKeys(json, {
    used: used.filter((key) => !ignored.includes(key)),
    harmless: [{ reason, keys: ignored }],
    refused,
    ...(ownCode && { ownCode })
  })
}

/** Names of the sigmoid-weighted linear unit. */
export const SILU = ['silu', 'swish']

/** @throws {UnsupportedModelError} for an activation that is none of `known` */
export function readActivation(
  key: string,
  value: string | null | undefined,
  known: readonly string[]
): void {
  if (value != null && !known.includes(value)) refuseKey(key, value, known.join(', '))
}

/** The rotation of some of the layers as a part of a config. */
export function localPart({ theta, scaling }: ReadRope): Rope {
  return { theta, ...(scaling && { scaling }) }
}

/** The `rope_parameters` that `readRopeByLayer` reads back. */
export function ropeByLayerJson(
  { ropeTheta, ropeScaling }: DecoderConfig,
  local: Rope
): Record<string, unknown> {
  const written = ({ theta, scaling }: Rope) => ({
    rope_theta: theta,
    ...(scaling && ropeScalingJson(scaling))
  })
  return { [FULL]: written({ theta: ropeTheta, scaling: ropeScaling }), [SLIDING]: written(local) }
}

/** Kinds of layers in config.json. */
export const FULL = 'full_attention'
export const SLIDING = 'sliding_attention'

/**
 * Which layers have windows.
 *
 * @param types of the file
 * @param otherwise whether layer `index` slides where the file does not say
 * @throws {UnsupportedModelError} for another kind, or another number of layers
 */
export function slidingLayers(
  types: readonly string[] | null | undefined,
  layers: number,
  otherwise: (index: number) => boolean
): boolean[] {
  if (!types) return Array.from({ length: layers }, (_, index) => otherwise(index))
  const other = types.find((type) => type !== FULL && type !== SLIDING)
  if (other !== undefined) refuseKey('layer_types', other, `${FULL}, ${SLIDING}`)
  if (types.length !== layers) refuseKey('layer_types', types, `one for each of num_hidden_layers ${layers}`)
  return types.map((type) => type === SLIDING)
}

/** The window of every layer; undefined where none is narrower than the longest text. */
export function layerWindows(
  slides: readonly boolean[],
  window: number | null | undefined,
  maxPositions: number
): (number | null)[] | undefined {
  if (window == null || window >= maxPositions || !slides.includes(true)) return undefined
  return slides.map((isSliding) => (isSliding ? window : null))
}

/** The keys of config.json that give `readDecoderBase` and `readDecoderRope` back. */
export function decoderBaseJson(config: DecoderConfig): Record<string, unknown> {
  return {
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.ropeTheta,
    ...(config.ropeScaling && { rope_scaling: ropeScalingJson(config.ropeScaling) }),
    tie_word_embeddings: config.tiedHead,
    ...(config.bosId !== undefined && { bos_token_id: config.bosId }),
    ...(config.eosId !== undefined && { eos_token_id: config.eosId }),
    torch_dtype: 'float32'
  }
}
