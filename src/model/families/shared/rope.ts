import { z } from 'zod'
import { findUnreadKeys } from '../../../formats/hugging-face/checked-keys.ts'
import type { GraphBuilder, GraphNode } from '../../graph/index.ts'
import { refuseKey } from './config-reader.ts'
import { UnsupportedModelError } from './model-family.ts'

/** How the rotary frequencies are stretched for longer texts than the model was first trained on. */
export type RopeScaling =
  | { readonly kind: 'linear'; readonly factor: number }
  | {
      /** Llama 3.1: long wavelengths are stretched, short ones kept, those between interpolated. */
      readonly kind: 'llama3'
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      readonly originalMaxPositions: number
    }

const positive = z.number().positive()

const ropeSettings = z.looseObject({
  type: z.string().nullish(),
  rope_type: z.string().nullish(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: positive.nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  original_max_position_embeddings: positive.nullish()
})
type RopeSettings = z.output<typeof ropeSettings>

/** The keys of config.json that say how positions are rotated: those of older and those of newer files. */
export const ropeKeys = {
  rope_theta: positive.nullish(),
  rope_scaling: ropeSettings.nullish(),
  rope_parameters: ropeSettings.nullish(),
  original_max_position_embeddings: positive.nullish()
}

/** What `ropeKeys` read. */
interface RopeConfig {
  readonly rope_theta?: number | null | undefined
  readonly rope_scaling?: RopeSettings | null | undefined
  readonly rope_parameters?: RopeSettings | null | undefined
  readonly original_max_position_embeddings?: number | null | undefined
}

/** How positions are rotated. */
export interface Rope {
  readonly theta: number
  /** None if absent. */
  readonly scaling: RopeScaling | undefined
}

const DEFAULT_THETA = 10_000
/** Kinds of layers by which transformers 5 nests `rope_parameters`. */
const LAYER_TYPES = ['full_attention', 'sliding_attention']

/**
 * How a config.json rotates positions, as transformers 5 reads it.
 *
 * @param maxPositions what `original_max_position_embeddings` is where it is not given
 * @throws {UnsupportedModelError} naming the key that is not supported or contradicts another
 */
export function readRope(raw: RopeConfig, maxPositions: number): Rope {
  const key = raw.rope_scaling ? 'rope_scaling' : 'rope_parameters'
  if (raw.rope_scaling && raw.rope_parameters && !sameValues(raw.rope_scaling, raw.rope_parameters))
    refuseKey('rope_scaling', raw.rope_scaling, 'rope_parameters or rope_scaling, or the same in both')
  const given = raw.rope_scaling ?? raw.rope_parameters
  const settings = given ? ofAllLayers(given, key) : {}
  const theta = settings.rope_theta ?? raw.rope_theta ?? DEFAULT_THETA
  if (raw.rope_theta && theta !== raw.rope_theta)
    refuseKey('rope_theta', raw.rope_theta, `${theta}, which ${key}.rope_theta says`)
  const scaling = ropeScaling(settings, key, maxPositions)
  const original = raw.original_max_position_embeddings
  if (scaling?.kind === 'llama3' && original && original !== scaling.originalMaxPositions)
    refuseKey('original_max_position_embeddings', original, `${scaling.originalMaxPositions}, as in ${key}`)
  return { theta, scaling }
}

/** The settings that all layers share: those of `given`, or those nested in it by kind of layer if they are equal. */
function ofAllLayers(given: RopeSettings, key: string): RopeSettings {
  const nested = LAYER_TYPES.filter((type) => Object.hasOwn(given, type))
  if (nested.length === 0) return given
  const beside = Object.keys(given).find((name) => !nested.includes(name))
  if (beside !== undefined) refuseKey(`${key}.${beside}`, given[beside], `${nested.join(', ')} alone`)
  const parts = nested.map((type) => {
    const part = ropeSettings.safeParse(given[type])
    if (part.success) return part.data
    return refuseKey(`${key}.${type}`, given[type], 'an object with rope_type and rope_theta')
  })
  const [first] = parts
  if (parts.some((part) => !sameValues(part, first!)))
    refuseKey(key, given, 'the same for all kinds of layers')
  return first!
}

function sameValues(left: object, right: object): boolean {
  const sorted = (value: object): string =>
    JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  return sorted(left) === sorted(right)
}

function ropeScaling(settings: RopeSettings, key: string, maxPositions: number): RopeScaling | undefined {
  const kind = settings.rope_type ?? settings.type ?? 'default'
  if ((settings.partial_rotary_factor ?? 1) !== 1)
    refuseKey(`${key}.partial_rotary_factor`, settings.partial_rotary_factor, '1')
  const [unread] = findUnreadKeys(settings, { ...ROPE_KEYS, file: `config.json, ${key}` })
  if (unread !== undefined) throw new UnsupportedModelError(unread)
  const need = (name: keyof typeof settings): number => {
    const value = settings[name]
    return typeof value === 'number' ? value : refuseKey(`${key}.${String(name)}`, value ?? null, 'a number')
  }
  if (kind === 'default') return undefined
  if (kind === 'linear') return { kind, factor: need('factor') }
  if (kind !== 'llama3') return refuseKey(`${key}.rope_type`, kind, 'default, linear, llama3')
  return {
    kind,
    factor: need('factor'),
    lowFrequencyFactor: need('low_freq_factor'),
    highFrequencyFactor: need('high_freq_factor'),
    originalMaxPositions: settings.original_max_position_embeddings ?? maxPositions
  }
}

const ROPE_KEYS = {
  used: Object.keys(ropeSettings.shape),
  harmless: [
    {
      reason: 'concerns kinds of scaling that are refused by their rope_type',
      keys: [
        'attention_factor',
        'beta_fast',
        'beta_slow',
        'mscale',
        'mscale_all_dim',
        'truncate',
        'finetuned'
      ]
    },
    {
      reason: 'sections of positions in images and videos; text has one position for all',
      keys: ['mrope_section']
    }
  ],
  refused: {}
}

/** The `rope_scaling` that `parseRopeScaling` reads back. */
export function ropeScalingJson(scaling: RopeScaling): Record<string, unknown> {
  if (scaling.kind === 'linear') return { rope_type: 'linear', factor: scaling.factor }
  return {
    rope_type: 'llama3',
    factor: scaling.factor,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    original_max_position_embeddings: scaling.originalMaxPositions
  }
}

/** Angle by which each pair of a head's elements turns from one position to the next, [headSize / 2], in float64. */
export function rotaryFrequencies(headSize: number, theta: number, scaling?: RopeScaling): Float64Array {
  const half = headSize / 2
  return Float64Array.from({ length: half }, (_, index) => {
    const frequency = theta ** (-index / half)
    if (scaling === undefined) return frequency
    return scaling.kind === 'linear' ? frequency / scaling.factor : scaledLlama3(frequency, scaling)
  })
}

function scaledLlama3(frequency: number, scaling: Extract<RopeScaling, { kind: 'llama3' }>): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } = scaling
  const turns = (originalMaxPositions * frequency) / (2 * Math.PI)
  if (turns < low) return frequency / factor
  if (turns > high) return frequency
  const share = (turns - low) / (high - low)
  return ((1 - share) * frequency) / factor + share * frequency
}

/** Cosine and sine of every position's angles, each [length, headSize / 2]. */
export function rotaryTables(
  builder: GraphBuilder,
  length: number,
  frequencies: Float64Array
): { cosines: GraphNode; sines: GraphNode } {
  const half = frequencies.length
  const table = (wave: (angle: number) => number): GraphNode =>
    builder.constant(
      Float32Array.from({ length: length * half }, (_, index) =>
        wave(Math.floor(index / half) * frequencies[index % half]!)
      ),
      [length, half]
    )
  return { cosines: table(Math.cos), sines: table(Math.sin) }
}
