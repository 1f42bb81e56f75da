import type { GraphBuilder, GraphNode } from '../../graph/index.ts'

/** How the rotary frequencies are scaled for texts longer than those of the original training. */
export type RopeScaling =
  | { readonly kind: 'linear'; readonly factor: number }
  | {
      /** Llama 3.1: long wavelengths are scaled, short ones kept, and those in between interpolated. */
      readonly kind: 'llama3'
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      readonly originalMaxPositions: number
    }
  | {
      /** A base that grows with the length of texts beyond the model's positions. */
      readonly kind: 'dynamic'
      readonly factor: number
    }
  | {
      /** Peng et al., "YaRN", 2023: by parts, between two numbers of rotations over the original length. */
      readonly kind: 'yarn'
      readonly factor: number
      readonly betaFast: number
      readonly betaSlow: number
      readonly originalMaxPositions: number
      /** Whether the parts start and end at whole elements. */
      readonly truncate: boolean
      /** Factor on cosines and sines. */
      readonly attentionFactor: number
    }
  | {
      /**
       * Ding et al., "LongRoPE", 2024: a factor for each frequency, with different factors for texts beyond the
       * original length.
       */
      readonly kind: 'longrope'
      readonly shortFactors: readonly number[]
      readonly longFactors: readonly number[]
      readonly originalMaxPositions: number
      /** Factor on cosines and sines. */
      readonly attentionFactor: number
    }

/** How positions are rotated. */
export interface Rope {
  readonly theta: number
  /** No scaling if absent. */
  readonly scaling?: RopeScaling | undefined
}

/** Lengths that some frequencies depend on. */
export interface RopeLengths {
  /** Number of tokens of the whole text. */
  readonly textLength: number
  readonly maxPositions: number
}

/**
 * Length in tokens from which the whole text is rotated differently, so that results for a shorter text are invalid;
 * undefined if there is no such length.
 */
export function rotationChange(scaling: RopeScaling | undefined, maxPositions: number): number | undefined {
  if (scaling?.kind === 'longrope' && scaling.originalMaxPositions < maxPositions)
    return scaling.originalMaxPositions
  return undefined
}

/** Angle by which each pair of a head's elements rotates per position, [size / 2], in float64. */
export function rotaryFrequencies(
  size: number,
  theta: number,
  scaling: RopeScaling | undefined,
  lengths: RopeLengths
): Float64Array {
  const half = size / 2
  const plain = (base: number): Float64Array =>
    Float64Array.from({ length: half }, (_, index) => base ** (-index / half))
  if (scaling === undefined) return plain(theta)
  if (scaling.kind === 'dynamic') return plain(dynamicBase(size, theta, scaling.factor, lengths))
  if (scaling.kind === 'linear') return plain(theta).map((frequency) => frequency / scaling.factor)
  if (scaling.kind === 'llama3') return plain(theta).map((frequency) => scaledLlama3(frequency, scaling))
  if (scaling.kind === 'yarn') return yarnFrequencies(plain(theta), theta, scaling)
  const isLong = lengths.textLength > scaling.originalMaxPositions
  const factors = isLong ? scaling.longFactors : scaling.shortFactors
  return plain(theta).map((frequency, index) => frequency / factors[index]!)
}

/** Factor on cosines and sines. */
export function rotaryScale(scaling: RopeScaling | undefined): number {
  return scaling?.kind === 'yarn' || scaling?.kind === 'longrope' ? scaling.attentionFactor : 1
}

function dynamicBase(size: number, theta: number, factor: number, lengths: RopeLengths): number {
  const { textLength, maxPositions } = lengths
  const stretch = (factor * Math.max(textLength, maxPositions)) / maxPositions - (factor - 1)
  return theta * stretch ** (size / (size - 2))
}

function scaledLlama3(frequency: number, scaling: Extract<RopeScaling, { kind: 'llama3' }>): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } = scaling
  const turns = (originalMaxPositions * frequency) / (2 * Math.PI)
  if (turns < low) return frequency / factor
  if (turns > high) return frequency
  const share = (turns - low) / (high - low)
  return ((1 - share) * frequency) / factor + share * frequency
}

/** Minimum width of the ramp, which avoids dividing by 0, as in transformers. */
const LEAST_RAMP = 0.001

function yarnFrequencies(
  plain: Float64Array,
  theta: number,
  scaling: Extract<RopeScaling, { kind: 'yarn' }>
): Float64Array {
  const { factor, betaFast, betaSlow, originalMaxPositions, truncate } = scaling
  const size = 2 * plain.length
  /** The element that rotates this many times over the original length. */
  const elementOf = (turns: number): number =>
    (size * Math.log(originalMaxPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  const [first, last] = [elementOf(betaFast), elementOf(betaSlow)]
  const low = Math.max(truncate ? Math.floor(first) : first, 0)
  const end = Math.min(truncate ? Math.ceil(last) : last, size - 1)
  const high = end === low ? end + LEAST_RAMP : end
  return plain.map((frequency, index) => {
    const stretched = Math.min(1, Math.max(0, (index - low) / (high - low)))
    return (frequency / factor) * stretched + frequency * (1 - stretched)
  })
}

/** Cosine and sine of every position's angles, each [length, headSize / 2]. */
export function rotaryTables(
  builder: GraphBuilder,
  length: number,
  frequencies: Float64Array,
  scale = 1
): { cosines: GraphNode; sines: GraphNode } {
  const half = frequencies.length
  const table = (wave: (angle: number) => number): GraphNode =>
    builder.constant(
      Float32Array.from(
        { length: length * half },
        (_, index) => scale * wave(Math.floor(index / half) * frequencies[index % half]!)
      ),
      [length, half]
    )
  return { cosines: table(Math.cos), sines: table(Math.sin) }
}
