import { overflow } from '../executor/overflow.ts'

/**
 * Refuses log-probabilities of which one is NaN or infinite: a mean or a comparison with it would mean nothing.
 *
 * @param scores of the second to the last token of each sequence, as `SequenceScorer` gives them
 * @param nameOf what a sequence is, for the message
 * @throws {Error} naming the sequence and the token
 */
export function requireFiniteScores(
  scores: readonly Float32Array[],
  nameOf: (sequence: number) => string
): void {
  for (const [sequence, values] of scores.entries()) {
    const at = values.findIndex((value) => !Number.isFinite(value))
    if (at >= 0)
      throw overflow(`the log-probability of token ${at + 2} of ${nameOf(sequence)} is ${values[at]}`)
  }
}
