import { NO_NOISE, type Noise } from './gumbel-noise.ts'

/** How a token is sampled from the combined distribution. */
export interface DrawSettings {
  /** Divides the combined scores; 0 selects the highest. */
  readonly temperature: number
  /** Keep only the k ids with the highest combined scores; all if absent. */
  readonly topK?: number
  /** Keep only the highest ids that together reach this probability; 1 if absent. */
  readonly topP?: number
  /** Keep only ids with at least this share of the highest probability; 0 if absent. */
  readonly minP?: number
}

/** Everything that a device knows about a position before the remote has answered. */
export interface Scoring {
  readonly settings: DrawSettings
  /** α (z_adapted − z_base) + bias of every id, [vocabularySize]; finite. */
  readonly offset: Float64Array
  readonly noise: Noise
}

/**
 * The logits offset α (z_adapted − z_base) + bias (proxy-tuning, arXiv 2401.08565, eq. 1, with the strength α of its
 * section 6.2), computed in float64 in id order.
 *
 * @param adapted logits of the adapted proxy, [at least size], as is `base`
 * @param bias added to individual ids: logit bias minus penalties
 * @throws {Error} if a logit is not finite
 */
export function logitsOffset(
  adapted: Float32Array,
  base: Float32Array,
  alpha: number,
  size: number,
  bias?: ReadonlyMap<number, number>
): Float64Array {
  const offset = new Float64Array(size)
  for (let id = 0; id < size; id++) {
    const value = alpha * (adapted[id]! - base[id]!)
    if (!Number.isFinite(value)) throw new Error(`the proxy's logits of id ${id} are not finite`)
    offset[id] = value
  }
  for (const [id, value] of bias ?? []) if (id < size) offset[id]! += value
  return offset
}

/** Combined score over the temperature. Monotone in `remote` in floating point too, since every step is. */
export function scaledScore(scoring: Scoring, remote: number, id: number): number {
  const sum = remote + scoring.offset[id]!
  return scoring.settings.temperature === 0 ? sum : sum / scoring.settings.temperature
}

/** The noise to add; none at temperature 0. */
export function noiseOf({ settings, noise }: Scoring): Noise {
  return settings.temperature === 0 ? NO_NOISE : noise
}

/** Whether id `a` precedes id `b`: higher scores first, then lower ids. */
export function goesBefore(scoreA: number, a: number, scoreB: number, b: number): boolean {
  return scoreA > scoreB || (scoreA === scoreB && a < b)
}

/** Whether any filter can drop ids. At temperature 0 none matters, since the highest id is always kept. */
export function isFiltered({ temperature, topK, topP = 1, minP = 0 }: DrawSettings): boolean {
  return temperature > 0 && (topK !== undefined || topP < 1 || minP > 0)
}

/**
 * @throws {RangeError} naming the setting that is out of range
 */
export function checkDrawSettings({ temperature, topK, topP, minP }: DrawSettings): void {
  if (!(temperature >= 0 && temperature <= 100))
    throw new RangeError(`temperature must be from 0 to 100, got ${temperature}`)
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1))
    throw new RangeError(`top-k must be a positive integer, got ${topK}`)
  if (topP !== undefined && !(topP > 0 && topP <= 1))
    throw new RangeError(`top-p must be above 0 and at most 1, got ${topP}`)
  if (minP !== undefined && !(minP >= 0 && minP <= 1))
    throw new RangeError(`min-p must be from 0 to 1, got ${minP}`)
}
