import { NO_NOISE, type Noise } from './gumbel-noise.ts'

/** How a token is drawn from the combined distribution. */
export interface DrawSettings {
  /** Divides the combined scores; 0 takes the highest. */
  readonly temperature: number
  /** Only the k ids with the highest combined scores; all where it is absent. */
  readonly topK?: number
  /** Only the highest ids that together reach this probability; 1 where it is absent. */
  readonly topP?: number
  /** Only ids whose probability is at least this share of the highest one's; 0 where it is absent. */
  readonly minP?: number
}

/** All that a device knows of a position before the remote has answered. */
export interface Scoring {
  readonly settings: DrawSettings
  /** α (z_adapted − z_base) + bias of every id, [vocabularySize]; finite. */
  readonly offset: Float64Array
  readonly noise: Noise
}

/**
 * The logits offset α (z_adapted − z_base) + bias (proxy-tuning, arXiv 2401.08565, eq. 1, with the strength α of its
 * section 6.2), computed in float64 in the order of the ids.
 *
 * @param adapted logits of the adapted proxy, [at least size], and `base` alike
 * @param bias added to single ids: logit bias, less penalties
 * @throws {Error} when a logit is not finite
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

/** Combined score over the temperature; grows with `remote` in floating point too, as every step does. */
export function scaledScore(scoring: Scoring, remote: number, id: number): number {
  const sum = remote + scoring.offset[id]!
  return scoring.settings.temperature === 0 ? sum : sum / scoring.settings.temperature
}

/** The noise to add; none at temperature 0. */
export function noiseOf({ settings, noise }: Scoring): Noise {
  return settings.temperature === 0 ? NO_NOISE : noise
}

/** Whether id `a` with its score goes before id `b` with its score: higher scores first, then lower ids. */
export function goesBefore(scoreA: number, a: number, scoreB: number, b: number): boolean {
  return scoreA > scoreB || (scoreA === scoreB && a < b)
}

/** Whether any filter can leave ids out. At temperature 0 none matters: the highest id always stays. */
export function isFiltered({ temperature, topK, topP = 1, minP = 0 }: DrawSettings): boolean {
  return temperature > 0 && (topK !== undefined || topP < 1 || minP > 0)
}

/**
 * @throws {RangeError} naming the setting that is out of range
 */
export function checkDrawSettings({ temperature, topK, topP, minP }: DrawSettings): void {
  if (!(temperature >= 0 && temperature <= 100))
    throw new RangeError(`temperature must be from 0 to 100, not ${temperature}`)
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1))
    throw new RangeError(`top-k must be a positive integer, not ${topK}`)
  if (topP !== undefined && !(topP > 0 && topP <= 1))
    throw new RangeError(`top-p must be above 0 and at most 1, not ${topP}`)
  if (minP !== undefined && !(minP >= 0 && minP <= 1))
    throw new RangeError(`min-p must be from 0 to 1, not ${minP}`)
}
