import type { TokenSequences } from '../corpus/token-files.ts'

/**
 * Count-based language models over token ids, as baselines that a neural model must clearly beat. Both train on and
 * score documents given as token sequences. The first token of a sequence is only a condition and is never scored.
 */
export interface CountModel {
  /** Probability of `next` after `previous`. */
  probability(previous: number, next: number): number
}

/** Unigram model with add-one smoothing over the vocabulary. */
export function unigramModel(sequences: TokenSequences, vocabularySize: number): CountModel {
  const counts = new Float64Array(vocabularySize)
  let total = 0
  for (const sequence of sequences) {
    for (let index = 1; index < sequence.length; index++) {
      counts[sequence[index]!]! += 1
      total++
    }
  }
  return { probability: (_, next) => (counts[next]! + 1) / (total + vocabularySize) }
}

/**
 * Interpolated Kneser-Ney bigram (Kneser & Ney 1995; Chen & Goodman 1999, equation 2-25), one absolute discount
 * D = n₁ / (n₁ + 2·n₂) estimated from the numbers n₁ and n₂ of bigrams seen once and twice:
 *
 *     p(w | v) = max(c(v w) − D, 0) / c(v) + D · N₁₊(v •) / c(v) · p_continuation(w)
 *
 * p_continuation(w) is the share of distinct bigrams that end in w, discounted the same way and interpolated with the
 * uniform distribution, so that every token has a probability. After a `v` never seen, p = p_continuation.
 */
export function kneserNeyBigram(sequences: TokenSequences, vocabularySize: number): CountModel {
  const bigrams = new Map<number, number>()
  for (const sequence of sequences) {
    for (let index = 1; index < sequence.length; index++) {
      const key = sequence[index - 1]! * vocabularySize + sequence[index]!
      bigrams.set(key, (bigrams.get(key) ?? 0) + 1)
    }
  }
  const contextCounts = new Float64Array(vocabularySize)
  const distinctFollowers = new Float64Array(vocabularySize)
  const distinctPredecessors = new Float64Array(vocabularySize)
  for (const [key, count] of bigrams) {
    const context = Math.floor(key / vocabularySize)
    contextCounts[context]! += count
    distinctFollowers[context]! += 1
    distinctPredecessors[key % vocabularySize]! += 1
  }
  const discount = absoluteDiscount(bigrams.values())
  const lowerDiscount = absoluteDiscount(distinctPredecessors)
  const continued = distinctPredecessors.reduce((kinds, count) => kinds + (count > 0 ? 1 : 0), 0)
  const distinct = bigrams.size

  const continuation = (next: number): number => {
    if (distinct === 0) return 1 / vocabularySize
    const kept = Math.max(distinctPredecessors[next]! - lowerDiscount, 0) / distinct
    return kept + (lowerDiscount * continued) / distinct / vocabularySize
  }
  return {
    probability(previous, next) {
      const context = contextCounts[previous]!
      if (context === 0) return continuation(next)
      const count = bigrams.get(previous * vocabularySize + next) ?? 0
      const kept = Math.max(count - discount, 0) / context
      return kept + ((discount * distinctFollowers[previous]!) / context) * continuation(next)
    }
  }
}

/** Mean negative log-probability of all scored tokens, nats per token. */
export function meanNats(
  model: CountModel,
  sequences: TokenSequences
): { readonly nats: number; readonly tokens: number } {
  let sum = 0
  let tokens = 0
  for (const sequence of sequences) {
    for (let index = 1; index < sequence.length; index++) {
      sum -= Math.log(model.probability(sequence[index - 1]!, sequence[index]!))
      tokens++
    }
  }
  return { nats: sum / tokens, tokens }
}

/** n₁ / (n₁ + 2·n₂) of a set of counts; one half if nothing occurs once or twice. */
function absoluteDiscount(counts: Iterable<number>): number {
  let once = 0
  let twice = 0
  for (const count of counts) {
    if (count === 1) once++
    else if (count === 2) twice++
  }
  return once === 0 ? 0.5 : once / (once + 2 * twice)
}
