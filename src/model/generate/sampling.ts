import type { SeededRandom } from '../../data/order/seeded-random.ts'
import { adjustLogits, type LogitSettings, type TextSoFar } from './adjust-logits.ts'

/** How the next token is sampled. */
export interface SamplingSettings extends LogitSettings {
  /** Divides the logits; 0 takes the most likely token. 1 if absent. */
  readonly temperature?: number
  /** Only the k most likely tokens; all if absent. */
  readonly topK?: number
  /** Only the most likely tokens that together reach this probability; 1 if absent. */
  readonly topP?: number
  /** Only tokens with at least this share of the highest probability; 0 if absent. */
  readonly minP?: number
}

/**
 * Samples a token id from logits, in the order of transformers: penalties and excluded tokens, temperature, top-k,
 * top-p, min-p. Equal logits are taken in the order of their ids.
 *
 * @param text the text before the logits, if a setting needs it
 * @throws {Error} if the settings exclude every token
 */
export function sampleToken(
  given: Float32Array,
  settings: SamplingSettings,
  random: SeededRandom,
  text: TextSoFar = { ids: [], promptTokens: 0 }
): number {
  const logits = adjustLogits(given, settings, text)
  const { temperature = 1, topK = logits.length, topP = 1, minP = 0 } = settings
  const likeliest = logits.reduce((best, value, id) => (value > logits[best]! ? id : best), 0)
  if (logits[likeliest] === Number.NEGATIVE_INFINITY)
    throw new Error(
      'no token is left to choose from: suppress_tokens, bad_words_ids and the other settings of generation exclude them all'
    )
  if (temperature === 0) return likeliest
  const highest = logits[likeliest]!
  const share = (id: number): number => Math.exp((logits[id]! - highest) / temperature)
  const { order: drawn, total } = candidates(logits, topK, topP, share)
  // The most likely token's share is 1.
  const order = minP > 0 ? drawn.filter((id) => share(id) >= minP) : drawn
  const shares = order.map(share)
  let kept = 0
  let count = 0
  while (count < shares.length && kept < topP * total) kept += shares[count++]!
  let draw = random.uniform() * kept
  for (let index = 0; index < count; index++) {
    draw -= shares[index]!
    if (draw < 0) return order[index]!
  }
  return order[Math.max(0, count - 1)]!
}

/**
 * The ids that may be sampled, in descending order if that matters, and the sum to which top-p refers. The whole
 * vocabulary is never sorted: for top-k, the k-th logit is found first, and for top-p alone, tokens too unlikely to be
 * included even together are left out.
 */
function candidates(
  logits: Float32Array,
  topK: number,
  topP: number,
  share: (id: number) => number
): { order: number[]; total: number } {
  const sum = (ids: readonly number[]): number => ids.reduce((total, id) => total + share(id), 0)
  const ids = Array.from(logits.keys())
  const likeliestFirst = (a: number, b: number): number => logits[b]! - logits[a]! || a - b
  if (topK < logits.length) {
    const threshold = logits.toSorted()[logits.length - topK]!
    const order = ids.filter((id) => logits[id]! >= threshold).sort(likeliestFirst)
    return { order: order.slice(0, topK), total: sum(order.slice(0, topK)) }
  }
  const total = sum(ids)
  if (topP >= 1) return { order: ids, total }
  const negligible = ((1 - topP) * total) / (2 * ids.length)
  return { order: ids.filter((id) => share(id) >= negligible).sort(likeliestFirst), total }
}
