/**
 * The mathematics of Prada: the combined distribution p*(x) ∝ exp((log p_remote(x) + α (z_adapted(x) − z_base(x))) / T),
 * one decoding rule for it that makes speculation exact, and certificates that decide a position from a part of the
 * remote's row. Pure: no clock, no I/O, no randomness but the noise that its arguments determine.
 *
 * @example
 * ```ts
 * const offset = logitsOffset(adapted, base, 1, vocabulary.tokens.length)
 * const scoring = { settings: { temperature: 1 }, offset, noise: gumbelNoise(seed, position) }
 * const verdict = judge(partialRow(remoteRow(logits, offset.length, 'float16'), { topK: 8 }), scoring)
 * ```
 */
export { type Interval, judge, logProbability, type Verdict } from './certificate.ts'
export { allowedIds, decide, type ScaledId } from './decide.ts'
export {
  bestDraftLength,
  createDraftLength,
  DRAFTS_MAX,
  type DraftLength,
  expectedTime,
  expectedTokens,
  type Trip,
  type TripCosts
} from './draft-length.ts'
export { gumbelNoise, NO_NOISE, NOISE_MAX, type Noise } from './gumbel-noise.ts'
export { isNearTie } from './near-tie.ts'
export { createRankCount, type RankCosts, type RankCount } from './rank-count.ts'
export {
  type PartialRow,
  type Precision,
  partialRow,
  type RankReach,
  type RemoteRow,
  type RowRequest,
  reachedRanks,
  remoteRow,
  type SharedDraw
} from './remote-row.ts'
export { type RoundingDeviation, roundingDeviation } from './rounding.ts'
export { type LikelyId, likeliestIds, rowLogProbabilities } from './row-log-probabilities.ts'
export { checkDrawSettings, type DrawSettings, isFiltered, logitsOffset, type Scoring } from './scoring.ts'
export { requireSameVocabulary, type Vocabulary, VocabularyError } from './vocabulary.ts'
export { borderIds, type WantedLimits, wantedIds } from './wanted-ids.ts'
