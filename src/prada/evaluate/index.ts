/**
 * Scores how well the combined distribution predicts a text.
 *
 * @example
 * ```ts
 * const scorer = createCombinedScorer(components, { alpha: 1, precision: 'float16' })
 * const logProbabilities = await scorer.score(ids, signal)
 * ```
 */
export { type CombinedScorer, createCombinedScorer } from './combined-scorer.ts'
