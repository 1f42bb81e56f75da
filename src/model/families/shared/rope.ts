import { z } from 'zod'
import type { GraphBuilder, GraphNode } from '../../graph/index.ts'
import { refuseKey } from './config-reader.ts'

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

/** `rope_scaling` of older and `rope_parameters` of newer config.json files. */
export const ropeSettings = z.looseObject({
  type: z.string().nullish(),
  rope_type: z.string().nullish(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: positive.nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  original_max_position_embeddings: positive.nullish()
})

/**
 * The scaling that `settings` describe; undefined for none.
 *
 * @param key of config.json, for messages
 * @throws {UnsupportedModelError} naming the key
 */
export function parseRopeScaling(
  settings: z.output<typeof ropeSettings>,
  key: string
): RopeScaling | undefined {
  const kind = settings.rope_type ?? settings.type ?? 'default'
  if ((settings.partial_rotary_factor ?? 1) !== 1)
    refuseKey(`${key}.partial_rotary_factor`, settings.partial_rotary_factor, '1')
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
    originalMaxPositions: need('original_max_position_embeddings')
  }
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
