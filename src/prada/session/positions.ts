import { gumbelNoise, logitsOffset, type Scoring } from '../core/index.ts'
import type { PradaRequest } from './options.ts'

/** Creates the scorings of a text's positions. */
export interface PositionScorings {
  /**
   * Everything except the remote's row that determines the token after `before`.
   *
   * @param before the whole text before the token
   * @param adapted logits of the adapted proxy after it, as is `base`
   */
  of(before: readonly number[], adapted: Float32Array, base: Float32Array): Scoring
  /** Scoring for drafting: bias and noise without an offset. */
  ofDraft(before: readonly number[]): Scoring
}

/** @param size size of the shared vocabulary */
export function createPositionScorings(request: PradaRequest, alpha: number, size: number): PositionScorings {
  const { temperature, topK, topP, minP, seed, stream = 0 } = request
  const settings = {
    temperature,
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(minP !== undefined && { minP })
  }
  const none = new Float32Array(size)
  const biasOf = (before: readonly number[]): ReadonlyMap<number, number> | undefined => {
    const { presencePenalty = 0, frequencyPenalty = 0, bias } = request
    if (presencePenalty === 0 && frequencyPenalty === 0) return bias
    const sums = new Map(bias)
    const made = before.slice(request.ids.length)
    for (const id of new Set(made)) sums.set(id, (sums.get(id) ?? 0) - presencePenalty)
    for (const id of made) sums.set(id, sums.get(id)! - frequencyPenalty)
    return sums
  }
  const scoring = (before: readonly number[], adapted: Float32Array, base: Float32Array): Scoring => ({
    settings,
    offset: logitsOffset(adapted, base, alpha, size, biasOf(before)),
    noise: gumbelNoise(seed, before.length, stream)
  })
  return { of: scoring, ofDraft: (before) => scoring(before, none, none) }
}
