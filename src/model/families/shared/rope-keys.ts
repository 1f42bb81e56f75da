import { z } from 'zod'
import { findUnreadKeys } from '../../../formats/hugging-face/checked-keys.ts'
import { refuseKey } from './config-reader.ts'
import { UnsupportedModelError } from './model-family.ts'
import type { Rope, RopeScaling } from './rope.ts'

const positive = z.number().positive()
const factors = z.array(positive).nullish()

const ropeSettings = z.looseObject({
  type: z.string().nullish(),
  rope_type: z.string().nullish(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: positive.nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  original_max_position_embeddings: positive.nullish(),
  attention_factor: positive.nullish(),
  beta_fast: positive.nullish(),
  beta_slow: positive.nullish(),
  mscale: z.number().nonnegative().nullish(),
  mscale_all_dim: z.number().nonnegative().nullish(),
  truncate: z.boolean().nullish(),
  short_factor: factors,
  long_factor: factors
})
type RopeSettings = z.output<typeof ropeSettings>

/** The config.json keys for rotary positions, in older and newer files. */
export const ropeKeys = {
  rope_theta: positive.nullish(),
  rope_scaling: ropeSettings.nullish(),
  rope_parameters: ropeSettings.nullish(),
  partial_rotary_factor: positive.nullish(),
  original_max_position_embeddings: positive.nullish()
}

/** The values that `ropeKeys` parses. */
export interface RopeConfig {
  readonly rope_theta?: number | null | undefined
  readonly rope_scaling?: RopeSettings | null | undefined
  readonly rope_parameters?: RopeSettings | null | undefined
  readonly partial_rotary_factor?: number | null | undefined
  readonly original_max_position_embeddings?: number | null | undefined
}

/** Family-specific options for reading them. */
export interface RopeReading {
  /** Maximum text length, tokens. */
  readonly maxPositions: number
  /** Number of elements per head. */
  readonly headSize: number
  readonly theta?: number
  /** Whether the family supports partial rotation of each head in transformers; false if absent. */
  readonly isPartial?: boolean
  /** Aliases of scaling types, such as `su` in the first Phi-3. */
  readonly aliases?: Readonly<Record<string, string>>
  /** Keys of the settings that the family reads itself. */
  readonly ownKeys?: readonly string[]
}

/** The rotation described by a family's files. */
export interface ReadRope extends Rope {
  readonly scaling: RopeScaling | undefined
  /** Number of elements of a head that are rotated; undefined for all. */
  readonly rotarySize: number | undefined
}

const DEFAULT_THETA = 10_000
/** Layer types by which transformers 5 nests `rope_parameters`. */
export const ROPE_LAYER_TYPES = ['full_attention', 'sliding_attention'] as const

/**
 * Reads the rotation that a config.json specifies for all layers, as transformers 5 does.
 *
 * @throws {UnsupportedModelError} naming the key that is not supported or contradicts another
 */
export function readRope(raw: RopeConfig, reading: RopeReading): ReadRope {
  const { key, given } = givenSettings(raw)
  return ropeOf(raw, given ? ofAllLayers(given, key) : {}, key, reading)
}

/**
 * Reads the rotations of layers with full attention and of layers with windows, for families that have settings for
 * each. They are nested in `rope_parameters`; in older files scaling applies only to layers with full attention.
 *
 * @param local theta of the layers with windows if the file does not nest
 * @throws {UnsupportedModelError} naming the key that is not supported or contradicts another
 */
export function readRopeByLayer(
  raw: RopeConfig,
  reading: RopeReading,
  local: number
): { readonly full: ReadRope; readonly local: ReadRope } {
  const { key, given } = givenSettings(raw)
  const isNested = given !== undefined && ROPE_LAYER_TYPES.some((type) => Object.hasOwn(given, type))
  if (!isNested)
    return {
      full: ropeOf(raw, given ?? {}, key, reading),
      local: { theta: local, scaling: undefined, rotarySize: undefined }
    }
  const { full_attention, sliding_attention } = nestedSettings(given, key)
  const { rope_theta: _, ...others } = raw
  return {
    full: ropeOf(raw, full_attention ?? {}, `${key}.full_attention`, reading),
    local: ropeOf(others, sliding_attention ?? {}, `${key}.sliding_attention`, { ...reading, theta: local })
  }
}

function givenSettings(raw: RopeConfig): { key: string; given: RopeSettings | undefined } {
  const key = raw.rope_scaling ? 'rope_scaling' : 'rope_parameters'
  if (raw.rope_scaling && raw.rope_parameters && !sameValues(raw.rope_scaling, raw.rope_parameters))
    refuseKey(
      'rope_scaling',
      raw.rope_scaling,
      'either rope_parameters or rope_scaling, or equal values in both'
    )
  return { key, given: raw.rope_scaling ?? raw.rope_parameters ?? undefined }
}

function ropeOf(raw: RopeConfig, settings: RopeSettings, key: string, reading: RopeReading): ReadRope {
  const theta = settings.rope_theta ?? raw.rope_theta ?? reading.theta ?? DEFAULT_THETA
  if (raw.rope_theta && theta !== raw.rope_theta)
    refuseKey('rope_theta', raw.rope_theta, `${theta}, as in ${key}.rope_theta`)
  const original = raw.original_max_position_embeddings
  const rotarySize = partialSize(raw, settings, key, reading)
  const scaling = ropeScaling(settings, key, {
    ...reading,
    rotarySize: rotarySize ?? reading.headSize,
    original: original ?? undefined
  })
  const own =
    scaling !== undefined && 'originalMaxPositions' in scaling ? scaling.originalMaxPositions : original
  if (original && own !== original)
    refuseKey('original_max_position_embeddings', original, `${own}, as in ${key}`)
  return { theta, scaling, rotarySize }
}

function partialSize(
  raw: RopeConfig,
  settings: RopeSettings,
  key: string,
  { headSize, isPartial = false }: RopeReading
): number | undefined {
  const share = settings.partial_rotary_factor ?? raw.partial_rotary_factor ?? 1
  if (share === 1) return undefined
  const name = settings.partial_rotary_factor ? `${key}.partial_rotary_factor` : 'partial_rotary_factor'
  if (!isPartial || share > 1) refuseKey(name, share, '1')
  const size = Math.floor(headSize * share)
  if (size < 2 || size % 2 !== 0)
    refuseKey(name, share, `an even number of the ${headSize} elements of a head`)
  return size
}

function nestedSettings(
  given: RopeSettings,
  key: string
): Partial<Record<(typeof ROPE_LAYER_TYPES)[number], RopeSettings>> {
  const beside = Object.keys(given).find((name) => !(ROPE_LAYER_TYPES as readonly string[]).includes(name))
  if (beside !== undefined)
    refuseKey(`${key}.${beside}`, given[beside], `${ROPE_LAYER_TYPES.join(', ')} only`)
  const nested = ROPE_LAYER_TYPES.filter((type) => Object.hasOwn(given, type))
  return Object.fromEntries(
    nested.map((type) => {
      const part = ropeSettings.safeParse(given[type])
      if (part.success) return [type, part.data]
      return refuseKey(`${key}.${type}`, given[type], 'an object with rope_type and rope_theta')
    })
  )
}

/** The settings that all layers share: those of `given`, or those nested in it by layer type if they are equal. */
function ofAllLayers(given: RopeSettings, key: string): RopeSettings {
  if (!ROPE_LAYER_TYPES.some((type) => Object.hasOwn(given, type))) return given
  const parts = Object.values(nestedSettings(given, key))
  const [first] = parts
  if (parts.some((part) => !sameValues(part, first!))) refuseKey(key, given, 'the same for all layer types')
  return first ?? {}
}

function sameValues(left: object, right: object): boolean {
  const sorted = (value: object): string =>
    JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  return sorted(left) === sorted(right)
}

const ROPE_KEYS = {
  used: Object.keys(ropeSettings.shape),
  harmless: [
    { reason: "metadata of the program that extended the model's context", keys: ['finetuned'] },
    {
      reason: 'sections of positions in images and videos; text uses one position for all of them',
      keys: ['mrope_section']
    }
  ],
  refused: {}
}
const KINDS = ['default', 'linear', 'dynamic', 'llama3', 'yarn', 'longrope']

interface ScalingReading extends RopeReading {
  readonly rotarySize: number
  readonly original: number | undefined
}

function ropeScaling(settings: RopeSettings, key: string, reading: ScalingReading): RopeScaling | undefined {
  const named = settings.rope_type ?? settings.type ?? 'default'
  const kind = reading.aliases?.[named] ?? named
  const used = [...ROPE_KEYS.used, ...(reading.ownKeys ?? [])]
  const [unread] = findUnreadKeys(settings, { ...ROPE_KEYS, used, file: `config.json, ${key}` })
  if (unread !== undefined) throw new UnsupportedModelError(unread)
  const need = (name: keyof typeof settings): number => {
    const value = settings[name]
    return typeof value === 'number' ? value : refuseKey(`${key}.${String(name)}`, value ?? null, 'a number')
  }
  const originalMaxPositions =
    settings.original_max_position_embeddings ?? reading.original ?? reading.maxPositions
  if (kind === 'default') return undefined
  if (kind === 'linear') return { kind, factor: need('factor') }
  if (kind === 'dynamic') return { kind, factor: need('factor') }
  if (kind === 'yarn') return yarnScaling(settings, originalMaxPositions, reading)
  if (kind === 'longrope') return longScaling(settings, key, originalMaxPositions, reading)
  if (kind !== 'llama3') return refuseKey(`${key}.rope_type`, kind, KINDS.join(', '))
  return {
    kind,
    factor: need('factor'),
    lowFrequencyFactor: need('low_freq_factor'),
    highFrequencyFactor: need('high_freq_factor'),
    originalMaxPositions
  }
}

function yarnScaling(
  settings: RopeSettings,
  original: number,
  { maxPositions }: ScalingReading
): RopeScaling {
  const factor = settings.factor ?? maxPositions / original
  const magnitude = (weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1)
  const { mscale, mscale_all_dim: ofAll } = settings
  const implied = mscale && ofAll ? magnitude(mscale) / magnitude(ofAll) : magnitude(1)
  return {
    kind: 'yarn',
    factor,
    betaFast: settings.beta_fast ?? 32,
    betaSlow: settings.beta_slow ?? 1,
    originalMaxPositions: original,
    truncate: settings.truncate ?? true,
    attentionFactor: settings.attention_factor ?? implied
  }
}

function longScaling(
  settings: RopeSettings,
  key: string,
  original: number,
  { maxPositions, rotarySize }: ScalingReading
): RopeScaling {
  const factor = settings.factor ?? maxPositions / original
  const implied = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))
  const list = (name: 'short_factor' | 'long_factor'): readonly number[] => {
    const values = settings[name]
    if (values?.length === rotarySize / 2) return values
    return refuseKey(`${key}.${name}`, values ?? null, `a list of ${rotarySize / 2} numbers`)
  }
  return {
    kind: 'longrope',
    shortFactors: list('short_factor'),
    longFactors: list('long_factor'),
    originalMaxPositions: original,
    attentionFactor: settings.attention_factor ?? implied
  }
}

/** The `rope_scaling` that `readRope` reads back. */
export function ropeScalingJson(scaling: RopeScaling): Record<string, unknown> {
  if (scaling.kind === 'linear' || scaling.kind === 'dynamic')
    return { rope_type: scaling.kind, factor: scaling.factor }
  const original = { original_max_position_embeddings: scaling.originalMaxPositions }
  if (scaling.kind === 'yarn')
    return {
      rope_type: 'yarn',
      factor: scaling.factor,
      beta_fast: scaling.betaFast,
      beta_slow: scaling.betaSlow,
      truncate: scaling.truncate,
      attention_factor: scaling.attentionFactor,
      ...original
    }
  if (scaling.kind === 'longrope')
    return {
      rope_type: 'longrope',
      short_factor: scaling.shortFactors,
      long_factor: scaling.longFactors,
      attention_factor: scaling.attentionFactor,
      ...original
    }
  return {
    rope_type: 'llama3',
    factor: scaling.factor,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    ...original
  }
}
